//! Shuts an account out: none of its keys stands until it is resumed.

use super::act::{Act, Done};
use super::participant::{Opened, not_oneself, open_account};
use crate::account::Account;
use crate::audit::AccountSuspended;
use crate::error::Refusal;
use crate::grant::Cause;
use crate::ids::AccountId;
use crate::store::Store;

pub async fn suspend_account(
    store: &Store,
    act: &Act<'_>,
    id: AccountId,
    cause: Option<Cause>,
) -> Result<Done<Account>, Refusal> {
    let (mut tx, mut account) = match open_account(store, act, id).await? {
        Opened::Fresh(tx, account) => (tx, account),
        Opened::Before(mut tx) => return Done::before(tx.account(id).await?),
    };
    not_oneself(id == act.caller.account)?;
    if account.suspended {
        // The answer may have been lost: asked again it is the same.
        return Ok(Done::already(account));
    }
    account.suspended = true;
    account.version += 1;
    tx.update_account(&account).await?;
    let event = AccountSuspended { account: id, agency: account.agency, cause };
    act.finish(tx, 200, id, vec![event.into()]).await?;
    Ok(Done::now(account))
}
