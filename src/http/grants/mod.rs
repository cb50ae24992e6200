//! Grants: seen by their two sides and the authority.

mod list;
mod move_schema;
mod resume;
mod revoke;
mod schema;
mod show;
mod shown;
mod suspend;

use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::GrantId;
use changtong_catalog::resource::Resource;
use changtong_catalog::store::Session;
use changtong_catalog::visible;

pub use list::list;
pub use move_schema::move_schema;
pub use resume::resume;
pub use revoke::revoke;
pub use schema::schema;
pub use show::show;
pub use shown::Shown;
pub use suspend::suspend;

/// The grant and the entry it is for, if the caller sees them.
pub(super) async fn visible(
    session: &mut Session,
    caller: &Caller,
    id: GrantId,
) -> Result<(Grant, Resource), Refusal> {
    let grant = session.grant(id).await?.ok_or_else(|| Refusal::not_found("授权", "grant"))?;
    let entry = session.resource(grant.resource).await?.ok_or_else(without_entry)?;
    visible::grant(caller, &grant, entry.provider)?;
    Ok((grant, entry))
}

pub(super) fn without_entry() -> Refusal {
    Refusal::new(Code::Internal, "授权所指的信息资源不存在", "the grant's resource does not exist")
}
