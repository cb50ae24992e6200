//! Lets a suspended account in again.

use super::act::{Act, Done};
use super::participant::{Opened, must_be_suspended, open_account};
use crate::account::Account;
use crate::audit::AccountResumed;
use crate::error::Refusal;
use crate::ids::AccountId;
use crate::store::Store;

pub async fn resume_account(store: &Store, act: &Act<'_>, id: AccountId) -> Result<Done<Account>, Refusal> {
    let (mut tx, mut account) = match open_account(store, act, id).await? {
        Opened::Fresh(tx, account) => (tx, account),
        Opened::Before(mut tx) => return Done::before(tx.account(id).await?),
    };
    must_be_suspended(account.suspended)?;
    account.suspended = false;
    account.version += 1;
    tx.update_account(&account).await?;
    let event = AccountResumed { account: id, agency: account.agency };
    act.finish(tx, 200, id, vec![event.into()]).await?;
    Ok(Done::now(account))
}
