//! Requests for data: seen by their two sides and the authority.

mod agree;
mod disclosure;
mod list;
mod need_material;
mod refuse;
mod sample;
mod show;
mod shown;
mod submit;
mod update;
mod withdraw;
mod write;

use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::RequestId;
use changtong_catalog::request::Request;
use changtong_catalog::resource::Resource;
use changtong_catalog::store::Session;
use changtong_catalog::visible;

pub use agree::agree;
pub use disclosure::disclosure;
pub use list::list;
pub use need_material::need_material;
pub use refuse::refuse;
pub use show::show;
pub use shown::Shown;
pub use submit::submit;
pub use update::update;
pub use withdraw::withdraw;
pub use write::write;

use crate::app::App;

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

/// What an action answers of a request.
async fn shown(app: &App, request: Request) -> Result<Shown, Refusal> {
    let entry = app.store.read().await?.resource(request.resource).await?.ok_or_else(without_entry)?;
    Ok(Shown::of(request, &entry))
}
