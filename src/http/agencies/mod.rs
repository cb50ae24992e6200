//! Agencies: who takes part. Every account may see them; the authority changes them.

mod add;
mod list;
mod resume;
mod show;
mod suspend;

use changtong_catalog::agency::Agency;
use changtong_catalog::error::Refusal;
use changtong_catalog::store::Session;

pub use add::add;
pub use list::list;
pub use resume::resume;
pub use show::show;
pub use suspend::suspend;

/// The agency of that credit code or alias.
pub(super) async fn named(session: &mut Session, name: &str) -> Result<Agency, Refusal> {
    session.agency_named(name).await?.ok_or_else(|| Refusal::not_found("机构", "agency"))
}
