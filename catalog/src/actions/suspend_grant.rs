//! Stops a grant for a time, for a cause.

use super::act::{Act, Done};
use super::grant::{Opened, open, save};
use crate::audit::GrantSuspended;
use crate::error::Refusal;
use crate::grant::lifecycle::Act as Step;
use crate::grant::{Cause, Grant};
use crate::ids::GrantId;
use crate::store::Store;

pub async fn suspend_grant(
    store: &Store,
    act: &Act<'_>,
    id: GrantId,
    expected: Option<i32>,
    cause: Cause,
) -> Result<Done<Grant>, Refusal> {
    let (tx, grant) = match open(store, act, id, Step::Suspend, expected, Some(cause)).await? {
        Opened::Fresh(tx, grant) => (tx, grant),
        Opened::Before(done) => return Ok(done),
    };
    let (version, resource) = (grant.version, grant.resource);
    save(tx, act, grant, GrantSuspended { grant: id, version, resource, cause }).await
}
