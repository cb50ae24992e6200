//! Ends a grant for good, for a cause.

use super::act::{Act, Done};
use super::grant::{Opened, open, save};
use crate::audit::GrantRevoked;
use crate::error::Refusal;
use crate::grant::lifecycle::Act as Step;
use crate::grant::{Cause, Grant};
use crate::ids::GrantId;
use crate::store::Store;

pub async fn revoke_grant(
    store: &Store,
    act: &Act<'_>,
    id: GrantId,
    expected: Option<i32>,
    cause: Cause,
    filing: Option<&str>,
) -> Result<Done<Grant>, Refusal> {
    let (mut tx, grant) = match open(store, act, id, Step::Revoke, expected, Some(cause)).await? {
        Opened::Fresh(tx, grant) => (tx, grant),
        Opened::Before(done) => return Ok(done),
    };
    let filing = act.note(&mut tx, ("grant", &id), "revoke", filing).await?;
    let (version, resource) = (grant.version, grant.resource);
    save(tx, act, grant, GrantRevoked { grant: id, version, resource, cause, filing }).await
}
