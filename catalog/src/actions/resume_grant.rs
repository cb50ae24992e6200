//! Lets a suspended grant go on.

use super::act::{Act, Done};
use super::grant::{Opened, open, save};
use crate::audit::GrantResumed;
use crate::error::Refusal;
use crate::grant::Grant;
use crate::grant::lifecycle::Act as Step;
use crate::ids::GrantId;
use crate::store::Store;

pub async fn resume_grant(
    store: &Store,
    act: &Act<'_>,
    id: GrantId,
    expected: Option<i32>,
) -> Result<Done<Grant>, Refusal> {
    let (tx, grant) = match open(store, act, id, Step::Resume, expected, None).await? {
        Opened::Fresh(tx, grant) => (tx, grant),
        Opened::Before(done) => return Ok(done),
    };
    let (version, resource) = (grant.version, grant.resource);
    save(tx, act, grant, GrantResumed { grant: id, version, resource }).await
}
