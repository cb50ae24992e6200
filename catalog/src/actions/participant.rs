//! What the actions on agencies, accounts and keys share: who may, and how one is opened for a change.

use super::act::{Act, Begun};
use crate::account::{Account, Role, Roles};
use crate::agency::Agency;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, AgencyId};
use crate::problems::{Problems, line};
use crate::store::{LockClass, Store, Tx};

/// Held for a change, or what the first call under the key did.
pub(super) enum Opened<T> {
    Fresh(Tx, T),
    Before(Tx),
}

/// An agency to suspend or resume. What ends something takes it alone before its change (protocol.md 3).
pub(super) async fn open_agency(
    store: &Store,
    act: &Act<'_>,
    id: AgencyId,
) -> Result<Opened<Agency>, Refusal> {
    act.caller.require(Role::Authority)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, _) => return Ok(Opened::Before(tx)),
    };
    tx.lock_exclusive(LockClass::Agency, id).await?;
    let agency = tx.agency_to_change(id).await?.ok_or_else(no_agency)?;
    Ok(Opened::Fresh(tx, agency))
}

/// An account to suspend or resume.
pub(super) async fn open_account(
    store: &Store,
    act: &Act<'_>,
    id: AccountId,
) -> Result<Opened<Account>, Refusal> {
    act.caller.require(Role::Authority)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, _) => return Ok(Opened::Before(tx)),
    };
    tx.lock_exclusive(LockClass::Account, id).await?;
    let account = tx.account_to_change(id).await?.ok_or_else(no_account)?;
    Ok(Opened::Fresh(tx, account))
}

/// What is to be resumed.
pub(super) fn must_be_suspended(suspended: bool) -> Result<(), Refusal> {
    if suspended {
        return Ok(());
    }
    Err(Refusal::new(Code::InvalidState, "没有停用,不需要恢复", "it is not suspended"))
}

/// Nobody suspends itself: no one might be left to resume it.
pub(super) fn not_oneself(own: bool) -> Result<(), Refusal> {
    if !own {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        "不能停用自己;请由另一账号办理",
        "nobody suspends itself; another account must do it",
    ))
}

pub(super) fn check_account_name(name: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    line(64).check(&mut problems, Code::Invalid, "name", name);
    problems.check()
}

/// A key is never wider than its account.
pub(super) fn check_scopes(scopes: Roles, roles: Roles) -> Result<(), Refusal> {
    if scopes.bits() != 0 && scopes.and(roles) == scopes {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Invalid,
        "roles:密钥至少有一个角色,且不能超出账号的角色",
        "roles: a key has at least one role and none that its account lacks",
    )
    .with("path", "roles"))
}

pub(super) fn no_agency() -> Refusal {
    Refusal::not_found("机构", "agency")
}

pub(super) fn no_account() -> Refusal {
    Refusal::not_found("账号", "account")
}

pub(super) fn no_key() -> Refusal {
    Refusal::not_found("密钥", "key")
}
