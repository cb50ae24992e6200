//! API keys: of the secret only its HMAC is kept.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder, query, query_as};

use super::accounts::roles;
use super::asking::Asked;
use super::dispatch::{on, one, rows};
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::account::{ApiKey, Roles};
use crate::api_key::Fallen;
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId, KeyId};
use crate::ports::KeyRecord;

/// The stored part of a fresh key: whoever makes it keeps the secret until it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    pub id: KeyId,
    /// HMAC-SHA-256(pepper, secret).
    pub mac: Vec<u8>,
    /// Which pepper made `mac`.
    pub pepper: String,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account, scopes, issued_by, created_at, expires_at, revoked_at, last_used_at \
             FROM api_key ",
            $tail
        )
    };
}

#[derive(FromRow)]
struct KeyRow {
    id: KeyId,
    account: AccountId,
    scopes: i32,
    issued_by: Option<AccountId>,
    created_at: Time,
    expires_at: Time,
    revoked_at: Option<Time>,
    last_used_at: Option<Time>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self {
            id: row.id,
            account: row.account,
            scopes: roles(row.scopes),
            issued_by: row.issued_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}

const RECORDS: &str = "SELECT k.id, k.mac, k.pepper, k.account, a.agency, a.roles, k.scopes, k.expires_at, \
    k.revoked_at, a.suspended AS account_suspended, g.suspended AS agency_suspended \
    FROM api_key k JOIN account a ON a.id = k.account JOIN agency g ON g.id = a.agency WHERE k.id IN (";

#[derive(FromRow)]
struct RecordRow {
    id: KeyId,
    mac: Vec<u8>,
    pepper: String,
    account: AccountId,
    agency: AgencyId,
    roles: i32,
    scopes: i32,
    expires_at: Time,
    revoked_at: Option<Time>,
    account_suspended: bool,
    agency_suspended: bool,
}

impl From<RecordRow> for KeyRecord {
    fn from(row: RecordRow) -> Self {
        let scopes: Roles = roles(row.scopes);
        let ended = [
            (row.revoked_at.is_some(), Fallen::Revoked),
            (row.account_suspended, Fallen::Account),
            (row.agency_suspended, Fallen::Agency),
        ];
        Self {
            id: row.id,
            mac: row.mac,
            pepper: row.pepper,
            account: row.account,
            agency: row.agency,
            roles: roles(row.roles).and(scopes),
            expires_at: row.expires_at,
            ended: ended.into_iter().find(|(is, _)| *is).map(|(_, fallen)| fallen),
        }
    }
}

impl Asked for KeyId {
    type Found = KeyRecord;

    async fn look_up(session: &mut Session, ids: &[Self]) -> Result<BTreeMap<Self, KeyRecord>, Refusal> {
        session.key_records(ids).await
    }
}

impl Session {
    pub async fn api_key(&mut self, id: &KeyId) -> Result<Option<ApiKey>, Refusal> {
        let row: Option<KeyRow> =
            on!(self, |conn| query_as(select!("WHERE id = $1")).bind(id).fetch_optional(conn))?;
        Ok(row.map(ApiKey::from))
    }

    /// What a credential is checked by.
    pub async fn key_record(&mut self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal> {
        Ok(self.key_records(std::slice::from_ref(id)).await?.remove(id))
    }

    async fn key_records(&mut self, ids: &[KeyId]) -> Result<BTreeMap<KeyId, KeyRecord>, Refusal> {
        // A key id is what a caller sent: text that no engine could hold names no key.
        let ids: Vec<&KeyId> = ids.iter().filter(|id| !id.0.contains('\0')).collect();
        let Some(last) = ids.last() else { return Ok(BTreeMap::new()) };
        // Few lengths of the list are few statements to prepare; the last id is asked for again instead.
        let padding = std::iter::repeat_n(last, ids.len().next_power_of_two() - ids.len());
        let rows: Vec<RecordRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(RECORDS);
            let mut list = select.separated(", ");
            ids.iter().chain(padding).for_each(|id| {
                list.push_bind(*id);
            });
            select.push(")").build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().map(|row| (row.id.clone(), row.into())).collect())
    }

    /// Every pepper that a key which is not revoked needs.
    pub async fn peppers(&mut self) -> Result<Vec<String>, Refusal> {
        const PEPPERS: &str = "SELECT DISTINCT pepper FROM api_key WHERE revoked_at IS NULL ORDER BY pepper";
        let rows: Vec<(String,)> = on!(self, |conn| query_as(PEPPERS).fetch_all(conn))?;
        Ok(rows.into_iter().map(|(pepper,)| pepper).collect())
    }
}

impl Tx {
    pub async fn key_to_change(&mut self, id: &KeyId) -> Result<Option<ApiKey>, Refusal> {
        self.hold("SELECT 1 FROM api_key WHERE id = $1 FOR UPDATE", id.clone()).await?;
        self.api_key(id).await
    }

    /// How many keys of an account stand at that time.
    pub async fn keys_in_force(&mut self, account: AccountId, now: Time) -> Result<i64, Refusal> {
        const COUNT: &str = "SELECT count(*) FROM api_key \
            WHERE account = $1 AND revoked_at IS NULL AND expires_at > $2";
        let (count,): (i64,) = on!(self, |conn| query_as(COUNT).bind(account).bind(now).fetch_one(conn))?;
        Ok(count)
    }

    pub async fn insert_key(&mut self, key: &ApiKey, new: &NewKey) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO api_key \
            (id, mac, pepper, account, scopes, issued_by, created_at, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        one(rows!(self, |conn| query(INSERT)
            .bind(&new.id)
            .bind(&new.mac[..])
            .bind(new.pepper.as_str())
            .bind(key.account)
            .bind(i32::from(key.scopes.bits()))
            .bind(key.issued_by)
            .bind(key.created_at)
            .bind(key.expires_at)
            .execute(conn))?)
    }

    pub async fn revoke_api_key(&mut self, id: &KeyId, at: Time) -> Result<(), Refusal> {
        const REVOKE: &str = "UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        one(rows!(self, |conn| query(REVOKE).bind(id).bind(at).execute(conn))?)
    }

    /// Notes when a key was last used; an older note does not replace a newer one.
    pub async fn key_used(&mut self, id: &KeyId, at: Time) -> Result<(), Refusal> {
        const USED: &str = "UPDATE api_key SET last_used_at = $2 \
            WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
        // No row: somebody noted a later use, which is as good.
        rows!(self, |conn| query(USED).bind(id).bind(at).execute(conn)).map(drop)
    }
}

impl Store {
    /// The keys of an account.
    pub async fn api_keys(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ApiKey>, Refusal> {
        const LIST: &str = select!("WHERE account = $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
        let mut session = self.read().await?;
        let after = decode(after, |text| (!text.contains('\0')).then(|| KeyId(text.to_owned())))?;
        let (limit, most) = size(limit);
        let rows: Vec<KeyRow> =
            on!(session, |conn| query_as(LIST).bind(account).bind(&after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(ApiKey::from).collect();
        Ok(Page::of(items, limit, |key: &ApiKey| key.id.to_string()))
    }
}
