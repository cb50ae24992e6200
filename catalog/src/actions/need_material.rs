//! The provider says, once, what a request lacks.

use super::act::{Act, Done};
use super::request::{Opened, open};
use crate::audit::RequestNeedMaterial;
use crate::error::{Code, Refusal};
use crate::ids::RequestId;
use crate::request::Request;
use crate::request::lifecycle::Act as Step;
use crate::store::Store;

pub async fn need_material(
    store: &Store,
    act: &Act<'_>,
    id: RequestId,
    expected: Option<i32>,
    text: &str,
) -> Result<Done<Request>, Refusal> {
    let mut held = match open(store, act, id, Step::NeedMaterial, expected).await? {
        Opened::Fresh(held) => held,
        Opened::Before(done) => return Ok(*done),
    };
    let answer = act.note(&mut held.tx, ("request", &id), "need_material", Some(text)).await?;
    let answer = answer.ok_or_else(|| {
        Refusal::new(Code::Invalid, "请写明需要补正的材料", "say which material is missing")
    })?;
    held.answered(act, Some(text));
    let (version, resource) = (held.request.version, held.request.resource);
    let event = RequestNeedMaterial { request: id, version, resource, answer };
    held.save(act, vec![event.into()]).await
}
