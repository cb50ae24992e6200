//! Accounts and their roles.

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::checked;
use super::page::{decode, size};
use super::{Page, Session, Store, Tx};
use crate::account::{Account, Roles};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AccountId, AgencyId};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, agency, name, roles, suspended, version, created_at FROM account ", $tail)
    };
}

#[derive(FromRow)]
struct AccountRow {
    id: AccountId,
    agency: AgencyId,
    name: String,
    roles: i32,
    suspended: bool,
    version: i32,
    created_at: Time,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            agency: row.agency,
            name: row.name,
            roles: roles(row.roles),
            suspended: row.suspended,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// Roles from their stored bits; what does not fit is no role.
pub(super) fn roles(bits: i32) -> Roles {
    Roles::from_bits(u8::try_from(bits).unwrap_or(0))
}

impl Session {
    pub async fn account(&mut self, id: AccountId) -> Result<Option<Account>, Refusal> {
        let row: Option<AccountRow> =
            on!(self, |conn| query_as(select!("WHERE id = $1")).bind(id).fetch_optional(conn))?;
        Ok(row.map(Account::from))
    }
}

impl Tx {
    pub async fn account_to_change(&mut self, id: AccountId) -> Result<Option<Account>, Refusal> {
        self.hold("SELECT 1 FROM account WHERE id = $1 FOR UPDATE", id).await?;
        self.account(id).await
    }

    pub async fn insert_account(&mut self, account: &Account) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO account (id, agency, name, roles, suspended, version, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let name = checked(&account.name)?;
        one(rows!(self, |conn| query(INSERT)
            .bind(account.id)
            .bind(account.agency)
            .bind(name)
            .bind(i32::from(account.roles.bits()))
            .bind(account.suspended)
            .bind(account.version)
            .bind(account.created_at)
            .execute(conn))?)
    }

    /// Saves the state of an account read in this transaction; its `version` is one above what was read.
    pub async fn update_account(&mut self, account: &Account) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE account SET roles = $2, suspended = $3, version = $4 \
            WHERE id = $1 AND version = $4 - 1";
        one(rows!(self, |conn| query(UPDATE)
            .bind(account.id)
            .bind(i32::from(account.roles.bits()))
            .bind(account.suspended)
            .bind(account.version)
            .execute(conn))?)
    }
}

impl Store {
    /// The accounts of an agency, in the order they were made.
    pub async fn accounts(
        &self,
        agency: AgencyId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Account>, Refusal> {
        const LIST: &str = select!("WHERE agency = $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
        let mut session = self.read().await?;
        let after: Option<AccountId> = decode(after, |text| text.parse().ok())?;
        let (limit, most) = size(limit);
        let rows: Vec<AccountRow> =
            on!(session, |conn| query_as(LIST).bind(agency).bind(after).bind(most).fetch_all(conn))?;
        let items = rows.into_iter().map(Account::from).collect();
        Ok(Page::of(items, limit, |account: &Account| account.id.to_string()))
    }
}
