//! Subjects: names under which schemas have versions.

mod delete;
mod list;
mod look_up;
mod metadata;
pub mod versions;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::resolve_schema;
use changtong_catalog::registry::{Registered, Wrong};

pub use delete::delete;
pub use list::list;
pub use look_up::look_up;
pub use metadata::metadata;

use super::asked::Asked;
use crate::app::App;

/// The text in the form that is asked for; `None`: as it is kept.
async fn formatted(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    registered: &Registered,
) -> Result<Option<String>, Wrong> {
    if !asked.resolved() {
        return Ok(None);
    }
    resolve_schema(&app.store, caller, &registered.subject.context, &registered.content).await.map(Some)
}
