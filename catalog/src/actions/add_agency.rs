//! An agency joins: with it come its first account, which may edit, review and integrate, and that account's key.

use super::act::{Act, Begun, Done, taken};
use super::participant::check_account_name;
use crate::account::{Account, ApiKey, Role, Roles};
use crate::agency::{self, Agency, AgencyNames};
use crate::audit::{AccountAdded, AgencyAdded, Digest, KeyIssued, What};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, KeyId};
use crate::store::{NewKey, Store, Tx};

/// A new agency and its first account.
#[derive(Clone)]
pub struct NewAgency {
    pub names: AgencyNames,
    /// Name of the first account.
    pub account: String,
    pub key: NewKey,
    pub key_expires_at: Time,
}

/// What joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub agency: Agency,
    pub account: Account,
    pub key: ApiKey,
}

pub async fn add_agency(store: &Store, act: &Act<'_>, new: NewAgency) -> Result<Done<Member>, Refusal> {
    act.caller.require(Role::Authority)?;
    agency::check(&new.names)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return before(tx, &result.object).await,
    };
    let (agency, account) = (AgencyId(act.ids.uuid(act.now)), AccountId(act.ids.uuid(act.now)));
    let roles = [Role::Editor, Role::Reviewer, Role::Integrator].into_iter().collect();
    let member =
        member(new.names, new.account, (agency, account), roles, &new.key, act.now, new.key_expires_at);
    let events = insert(&mut tx, &member, &new.key, Some(act.caller.account)).await?;
    let object = format!("{agency} {account} {}", member.key.id);
    act.finish(tx, 201, object, events).await?;
    Ok(Done::now(member))
}

pub(super) fn member(
    names: AgencyNames,
    account: String,
    (agency_id, account_id): (AgencyId, AccountId),
    roles: Roles,
    key: &NewKey,
    now: Time,
    expires_at: Time,
) -> Member {
    Member {
        agency: Agency { id: agency_id, names, suspended: false, version: 1, created_at: now },
        account: Account {
            id: account_id,
            agency: agency_id,
            name: account,
            roles,
            suspended: false,
            version: 1,
            created_at: now,
        },
        key: ApiKey {
            id: key.id.clone(),
            account: account_id,
            scopes: roles,
            issued_by: None,
            created_at: now,
            expires_at,
            revoked_at: None,
            last_used_at: None,
        },
    }
}

/// Writes the three rows; answers their events.
pub(super) async fn insert(
    tx: &mut Tx,
    member: &Member,
    key: &NewKey,
    issued_by: Option<AccountId>,
) -> Result<Vec<What>, Refusal> {
    check_account_name(&member.account.name)?;
    tx.insert_agency(&member.agency).await.map_err(name_taken)?;
    tx.insert_account(&member.account).await?;
    tx.insert_key(&ApiKey { issued_by, ..member.key.clone() }, key).await?;
    let (agency, account) = (member.agency.id, member.account.id);
    Ok(vec![
        AgencyAdded { agency, file: Digest::of_file(&member.agency.names)? }.into(),
        AccountAdded { account, agency, roles: member.account.roles }.into(),
        KeyIssued {
            key: member.key.id.clone(),
            account,
            agency,
            roles: member.key.scopes,
            expires_at: member.key.expires_at,
        }
        .into(),
    ])
}

fn name_taken(refusal: Refusal) -> Refusal {
    taken(
        refusal,
        "已有机构使用这个统一社会信用代码或别名",
        "another agency has this credit code or alias",
        "code",
    )
}

async fn before(mut tx: Tx, object: &str) -> Result<Done<Member>, Refusal> {
    let mut ids = object.split(' ');
    let (Some(agency), Some(account), Some(key)) = (ids.next(), ids.next(), ids.next()) else {
        return Done::before(None);
    };
    let agency = tx.agency(agency.parse()?).await?;
    let account = tx.account(account.parse()?).await?;
    let key = tx.api_key(&KeyId(key.to_owned())).await?;
    let member = agency.zip(account).zip(key);
    Done::before(member.map(|((agency, account), key)| Member { agency, account, key }))
}
