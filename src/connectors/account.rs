//! As whom a connector acts: its account, by one of the account's keys that stand, so that what ends the account or
//! its last key ends its connectors too.

use std::time::Duration;

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::AccountId;
use parking_lot::Mutex;

use crate::app::App;

/// The key is looked up again after this; the gate itself checks at every commit that it stands.
const REMEMBERED: Duration = Duration::from_secs(5);

pub(super) struct ActsAs {
    account: AccountId,
    known: Mutex<Option<(Caller, Duration)>>,
}

impl ActsAs {
    pub fn new(account: AccountId) -> Self {
        Self { account, known: Mutex::new(None) }
    }

    pub async fn caller(&self, app: &App) -> Result<Caller, Refusal> {
        let now = app.clock.monotonic();
        if let Some((caller, at)) = &*self.known.lock()
            && now < *at + REMEMBERED
        {
            return Ok(caller.clone());
        }
        let caller = standing(app, self.account).await?;
        *self.known.lock() = Some((caller.clone(), now));
        Ok(caller)
    }

    /// After a refusal: the key may be the reason.
    pub fn forget(&self) {
        *self.known.lock() = None;
    }
}

/// The key that stands longest.
async fn standing(app: &App, account: AccountId) -> Result<Caller, Refusal> {
    let now = app.clock.now();
    let mut after = None;
    let mut best = None;
    loop {
        let page = app.store.api_keys(account, after.as_deref(), 100).await?;
        let fit = page.items.into_iter().filter(|key| key.revoked_at.is_none() && key.expires_at > now);
        best = fit.chain(best).max_by_key(|key| key.expires_at);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let record = match best {
        Some(key) => app.store.read().await?.key_record(&key.id).await?,
        None => None,
    };
    let record = record.filter(|record| record.stands() && record.roles.has(Role::Integrator));
    let record = record.ok_or_else(|| {
        Refusal::new(
            Code::Unauthenticated,
            "该连接器的账号没有有效的、具有 integrator 角色的密钥;请签发一个,或由另一账号重新 apply",
            "the connector's account has no standing key with the role integrator; issue one, or apply the file with \
             another account",
        )
    })?;
    Ok(Caller { agency: record.agency, account: record.account, key: record.id, roles: record.roles })
}
