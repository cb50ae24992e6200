//! Entries of the catalog and the steps of their life.

mod approve;
mod draft;
mod list;
mod new_generation;
mod publish;
mod reject;
mod resume;
mod retire;
mod revise;
mod schema;
mod schema_check;
mod show;
mod shown;
mod submit;
mod suspend;
mod update;

use changtong_catalog::account::Caller;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::{Directory as _, ResourceStanding};
use changtong_catalog::visible;

pub use approve::approve;
pub use draft::draft;
pub use list::list;
pub use new_generation::new_generation;
pub use publish::publish;
pub use reject::reject;
pub use resume::resume;
pub use retire::retire;
pub use revise::revise;
pub use schema::{Schema, schema};
pub use schema_check::schema_check;
pub use show::show;
pub use shown::Shown;
pub use submit::submit;
pub use suspend::suspend;
pub use update::update;

use crate::app::App;

/// The entry of that code, if the caller sees any of it.
pub(super) async fn visible(
    app: &App,
    caller: &Caller,
    code: &ResourceCode,
) -> Result<ResourceStanding, Refusal> {
    let found = app.store.resource(code).await?;
    let standing = found.ok_or_else(|| Refusal::not_found("信息资源", "resource"))?;
    visible::entry(caller, &standing.resource)?;
    Ok(standing)
}
