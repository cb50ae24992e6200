//! Requests for data: seen by their two sides and the authority.

mod list;
mod show;
mod shown;

use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::RequestId;
use changtong_catalog::request::Request;
use changtong_catalog::resource::Resource;
use changtong_catalog::store::Session;
use changtong_catalog::visible;
pub use list::list;
pub use show::show;
pub use shown::Shown;

/// The request and the entry it asks for, if the caller sees them.
async fn visible(
    session: &mut Session,
    caller: &Caller,
    id: RequestId,
) -> Result<(Request, Resource), Refusal> {
    let request = session.request(id).await?.ok_or_else(|| Refusal::not_found("申请", "request"))?;
    let entry = session.resource(request.resource).await?.ok_or_else(without_entry)?;
    visible::request(caller, &request, entry.provider)?;
    Ok((request, entry))
}

fn without_entry() -> Refusal {
    Refusal::new(Code::Internal, "申请所指的信息资源不存在", "the request's resource does not exist")
}
