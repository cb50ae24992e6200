//! The account `development` of the agency `authority`: whoever calls the registry of `serve --dev` without credentials.
//! It is made with its first call and has every role but operator and auditor; nobody ever sees the text of its key.

use changtong_catalog::account::{Account, Caller, Role, Roles};
use changtong_catalog::actions::{Act, add_account, issue_key};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{AgencyId, KeyId};

use crate::app::App;
use crate::http::keys::{expiry, fresh};

const NAME: &str = "development";
const ROLES: [Role; 4] = [Role::Editor, Role::Reviewer, Role::Integrator, Role::Authority];
/// More accounts than the agency of a deployment for development has.
const MOST: usize = 1000;

pub async fn development(app: &App) -> Result<Caller, Refusal> {
    let authority = app.store.read().await?.agency_named("authority").await?;
    let agency = authority.ok_or_else(|| Refusal::not_found("机构", "agency"))?.id;
    let (first, known) = accounts(app, agency).await?;
    let first = caller(app, &first).await?.ok_or_else(|| Refusal::not_found("密钥", "key"))?;
    let act = Act { caller: &first, now: app.clock.now(), ids: &*app.ids, rules: &app.rules, claim: None };
    let account = match known {
        Some(account) => account,
        None => {
            let roles = ROLES.into_iter().collect();
            add_account(&app.store, &act, agency, NAME, roles).await?.object
        }
    };
    if let Some(caller) = caller(app, &account).await? {
        return Ok(caller);
    }
    let (_, key) = fresh(app)?;
    let issued = issue_key(&app.store, &act, account.id, account.roles, expiry(app, None), &key).await?;
    Ok(of(&account, issued.object.id))
}

/// The agency's first account, and the development account where it is there already.
async fn accounts(app: &App, agency: AgencyId) -> Result<(Account, Option<Account>), Refusal> {
    let mut accounts = app.store.accounts(agency, None, MOST).await?.items.into_iter();
    let first = accounts.next().ok_or_else(|| Refusal::not_found("账号", "account"))?;
    Ok((first, accounts.find(|account| account.name == NAME)))
}

/// That account by one of its keys that stand.
async fn caller(app: &App, account: &Account) -> Result<Option<Caller>, Refusal> {
    let now = app.clock.now();
    let keys = app.store.api_keys(account.id, None, MOST).await?;
    let standing = keys.items.into_iter().find(|key| key.revoked_at.is_none() && key.expires_at > now);
    Ok(standing.map(|key| of(account, key.id)))
}

fn of(account: &Account, key: KeyId) -> Caller {
    let roles: Roles = account.roles;
    Caller { agency: account.agency, account: account.id, key, roles }
}
