//! A further account of an agency.

use super::act::{Act, Begun, Done, taken};
use super::participant::{check_account_name, no_agency};
use crate::account::{Account, Role, Roles};
use crate::audit::AccountAdded;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId};
use crate::store::Store;

pub async fn add_account(
    store: &Store,
    act: &Act<'_>,
    agency: AgencyId,
    name: &str,
    roles: Roles,
) -> Result<Done<Account>, Refusal> {
    act.caller.require(Role::Authority)?;
    check_account_name(name)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(mut tx, result) => return Done::before(tx.account(result.object.parse()?).await?),
    };
    let agency = tx.agency(agency).await?.ok_or_else(no_agency)?.id;
    let account = Account {
        id: AccountId(act.ids.uuid(act.now)),
        agency,
        name: name.to_owned(),
        roles: roles.check()?,
        suspended: false,
        version: 1,
        created_at: act.now,
    };
    tx.insert_account(&account).await.map_err(|refusal| {
        taken(refusal, "本机构已有同名账号", "the agency has an account of this name", "name")
    })?;
    let event = AccountAdded { account: account.id, agency, roles: account.roles };
    act.finish(tx, 201, account.id, vec![event.into()]).await?;
    Ok(Done::now(account))
}
