//! Stops publishing and delivery of a resource for a time; its grants stay.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::ResourceSuspended;
use crate::error::Refusal;
use crate::grant::Cause;
use crate::ids::ResourceCode;
use crate::resource::Resource;
use crate::resource::lifecycle::Act as Step;
use crate::store::Store;

pub async fn suspend_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    cause: Cause,
) -> Result<Done<Resource>, Refusal> {
    let (tx, entry) = match open(store, act, code, Step::Suspend, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let event = ResourceSuspended { resource: entry.number, version: entry.version, cause };
    save(tx, act, entry, Step::Suspend, vec![event.into()]).await
}
