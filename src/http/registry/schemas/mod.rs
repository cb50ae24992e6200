//! Schemas by what identifies them, whatever subjects they stand under.

mod by_guid;
mod by_id;
mod ids;
mod list;
mod subjects;
mod text;
mod types;
mod versions;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::resolve_schema;
use changtong_catalog::registry::{Known, Wrong};

pub use by_guid::by_guid;
pub use by_id::by_id;
pub use ids::ids;
pub use list::list;
pub use subjects::subjects;
pub use text::text;
pub use types::types;
pub use versions::versions;

use super::asked::Asked;
use crate::app::App;

/// The text in the form that is asked for; `None`: as it is kept.
async fn formatted(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    known: &Known,
) -> Result<Option<String>, Wrong> {
    if !asked.resolved() {
        return Ok(None);
    }
    resolve_schema(&app.store, caller, &known.context, &known.content).await.map(Some)
}
