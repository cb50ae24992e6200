//! An empty store gets the agency `authority`, its first account and that account's key.

use super::act::in_order;
use super::add_agency::{Member, insert, member};
use crate::account::Role;
use crate::agency::AgencyNames;
use crate::audit::Actor;
use crate::clock::{Ids, Time};
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId};
use crate::store::{LockClass, NewKey, Store};

/// `None` if the store has an agency already.
pub async fn bootstrap(
    store: &Store,
    now: Time,
    ids: &dyn Ids,
    key: &NewKey,
    key_expires_at: Time,
) -> Result<Option<Member>, Refusal> {
    let mut tx = store.begin().await?;
    tx.lock_exclusive(LockClass::Agency, "authority").await?;
    if !tx.is_empty().await? {
        return Ok(None);
    }
    let names =
        AgencyNames {
            code: None, name: "数据共享主管部门".to_owned(), alias: Some("authority".parse()?)
        };
    let (agency, account) = (AgencyId(ids.uuid(now)), AccountId(ids.uuid(now)));
    let roles = [Role::Authority].into_iter().collect();
    let first = member(names, "authority".to_owned(), (agency, account), roles, key, now, key_expires_at);
    let events = insert(&mut tx, &first, key, None).await?;
    tx.record_all(&in_order(ids, now, &Actor::Server, events)).await?;
    tx.finish().await?;
    Ok(Some(first))
}
