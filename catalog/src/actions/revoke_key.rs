//! Ends a key for good: by its own account, or by the authority.

use super::act::{Act, Begun, Done};
use super::participant::{no_account, no_key};
use crate::account::{ApiKey, Role};
use crate::audit::KeyRevoked;
use crate::error::Refusal;
use crate::grant::Cause;
use crate::ids::KeyId;
use crate::store::{LockClass, Store};

pub async fn revoke_key(
    store: &Store,
    act: &Act<'_>,
    id: &KeyId,
    cause: Option<Cause>,
) -> Result<Done<ApiKey>, Refusal> {
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(mut tx, _) => return Done::before(tx.api_key(id).await?),
    };
    // What ends something takes it alone before its change (protocol.md 3).
    tx.lock_exclusive(LockClass::Key, id).await?;
    let mut key = tx.key_to_change(id).await?.ok_or_else(no_key)?;
    if key.account != act.caller.account && !act.caller.is(Role::Authority) {
        return Err(no_key());
    }
    if key.revoked_at.is_some() {
        // The answer may have been lost: asked again it is the same.
        return Ok(Done::already(key));
    }
    let agency = tx.account(key.account).await?.ok_or_else(no_account)?.agency;
    tx.revoke_api_key(id, act.now).await?;
    key.revoked_at = Some(act.now);
    let event = KeyRevoked { key: id.clone(), account: key.account, agency, cause };
    act.finish(tx, 200, id, vec![event.into()]).await?;
    Ok(Done::now(key))
}
