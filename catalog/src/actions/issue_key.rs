//! A new key: an account makes its own, the authority makes one for any account.

use super::act::{Act, Begun, Done};
use super::participant::{check_scopes, no_account};
use crate::account::{ApiKey, Role, Roles};
use crate::audit::KeyIssued;
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, KeyId};
use crate::store::{LockClass, NewKey, Store};

pub async fn issue_key(
    store: &Store,
    act: &Act<'_>,
    account: AccountId,
    scopes: Roles,
    expires_at: Time,
    new: &NewKey,
) -> Result<Done<ApiKey>, Refusal> {
    let own = account == act.caller.account;
    if !own && !act.caller.is(Role::Authority) {
        return Err(no_account());
    }
    if expires_at <= act.now {
        return Err(Refusal::new(
            Code::Invalid,
            "expires_at:到期时间应在将来",
            "expires_at: a key expires in the future",
        )
        .with("path", "expires_at"));
    }
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(mut tx, result) => return Done::before(tx.api_key(&KeyId(result.object)).await?),
    };
    // A suspension that runs at the same time comes first or finds this key.
    tx.lock_shared(LockClass::Account, account).await?;
    let account = tx.account(account).await?.ok_or_else(no_account)?;
    // Who makes a key for itself cannot widen what its own key was cut to.
    check_scopes(scopes, if own { act.caller.roles } else { account.roles })?;
    let key = ApiKey {
        id: new.id.clone(),
        account: account.id,
        scopes,
        issued_by: Some(act.caller.account),
        created_at: act.now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    tx.insert_key(&key, new).await?;
    let event = KeyIssued {
        key: key.id.clone(),
        account: account.id,
        agency: account.agency,
        roles: scopes,
        expires_at,
    };
    act.finish(tx, 201, &key.id, vec![event.into()]).await?;
    Ok(Done::now(key))
}
