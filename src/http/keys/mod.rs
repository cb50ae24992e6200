//! API keys of an account: seen by the account itself and by the authority. Nobody sees a secret twice.

mod issue;
mod list;
mod revoke;
mod show;

use changtong_catalog::account::{ApiKey, Caller, Role};
use changtong_catalog::api_key::{KeyText, Secret};
use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::AccountId;
use changtong_catalog::store::NewKey;
use chrono::TimeDelta;
use serde::{Serialize, Serializer};

pub use issue::issue;
pub use list::list;
pub use revoke::revoke;
pub use show::show;

use crate::app::App;
use crate::keys::Purpose;

/// How long a key lasts where nobody says.
const USUAL_DAYS: i64 = 365;

/// A key as it is shown when it is made: the only answer that holds its text.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub key: ApiKey,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub text: Option<Secret>,
}

fn exposed<S: Serializer>(text: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_ref().map(Secret::expose).serialize(serializer)
}

/// A fresh key: its text for the owner, its HMAC for the store.
pub(crate) fn fresh(app: &App) -> Result<(KeyText, NewKey), Refusal> {
    let text = KeyText::make(&*app.ids);
    let (pepper, key) = app.keys.in_force(Purpose::Pepper)?;
    let new = NewKey { id: text.id().clone(), mac: text.mac(&key).to_vec(), pepper };
    Ok((text, new))
}

pub(crate) fn expiry(app: &App, asked: Option<Time>) -> Time {
    asked.unwrap_or_else(|| app.clock.now() + TimeDelta::days(USUAL_DAYS))
}

/// Refuses as if the key did not exist.
fn seen_by(caller: &Caller, account: AccountId) -> Result<(), Refusal> {
    if caller.account == account || caller.is(Role::Authority) {
        return Ok(());
    }
    Err(no_key())
}

fn no_key() -> Refusal {
    Refusal::not_found("密钥", "key")
}
