//! A new key: an account makes its own, the authority makes one for any account.

use super::act::{Act, Begun, Done};
use super::participant::{check_scopes, no_account};
use crate::account::{ApiKey, Role, Roles};
use crate::audit::KeyIssued;
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, KeyId};
use crate::store::{LockClass, NewKey, Store};

/// Keys of one account that stand at once: enough for every system of an agency, not for keys without end.
const MOST_KEYS: i64 = 100;

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
    // A suspension that runs at the same time comes first or finds this key, and so does another key's making.
    tx.lock_exclusive(LockClass::Account, account).await?;
    let account = tx.account(account).await?.ok_or_else(no_account)?;
    if tx.keys_in_force(account.id, act.now).await? >= MOST_KEYS {
        return Err(too_many());
    }
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

fn too_many() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        format!("账号已有 {MOST_KEYS} 个有效密钥,不能再发;请先撤销不用的"),
        format!(
            "the account has {MOST_KEYS} keys that stand, which is the most; revoke what is not used first"
        ),
    )
    .with("limit", MOST_KEYS)
}
