//! Lets a suspended resource go on.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::ResourceResumed;
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::Store;

pub async fn resume_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
) -> Result<Done<Resource>, Refusal> {
    let (tx, entry) = match open(store, act, code, Step::Resume, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let event = ResourceResumed { resource: entry.number, version: entry.version };
    save(tx, act, entry, Step::Resume, vec![event.into()]).await
}
