//! Refusals of known callers (protocol.md 9): counted in memory and handed to the store every few seconds, which writes
//! one event per caller, code and minute once the minute is over. Unknown callers are a metric only: they could fill the
//! log.

use std::collections::BTreeMap;

use changtong_catalog::account::{Caller, Roles};
use changtong_catalog::clock::{Ids, Time};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{AccountId, AgencyId, KeyId};
use changtong_catalog::store::{RefusalCount, Store};
use chrono::{DurationRound as _, TimeDelta};
use parking_lot::Mutex;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    minute: Time,
    agency: AgencyId,
    account: AccountId,
    key: KeyId,
    code: Code,
}

#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<Kind, i64>>);

impl Refusals {
    pub fn count(&self, caller: &Caller, code: Code, at: Time) {
        let kind = Kind {
            minute: at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at),
            agency: caller.agency,
            account: caller.account,
            key: caller.key.clone(),
            code,
        };
        *self.0.lock().entry(kind).or_default() += 1;
    }

    /// Kinds that are counted here only.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().len()
    }

    /// Hands the counts to the store; what fails is handed over the next time.
    pub async fn write(&self, store: &Store, now: Time, ids: &dyn Ids) -> Result<(), Refusal> {
        let kinds = std::mem::take(&mut *self.0.lock());
        let counts: Vec<RefusalCount> = kinds.iter().map(|(kind, count)| stored(kind, *count)).collect();
        let result = store.record_refusals(&counts, now, ids).await;
        if result.is_err() {
            let mut waiting = self.0.lock();
            for (kind, count) in kinds {
                *waiting.entry(kind).or_default() += count;
            }
        }
        result
    }
}

fn stored(kind: &Kind, count: i64) -> RefusalCount {
    RefusalCount {
        caller: Caller {
            agency: kind.agency,
            account: kind.account,
            key: kind.key.clone(),
            roles: Roles::default(),
        },
        code: kind.code,
        minute: kind.minute,
        count,
        resource: None,
        grant: None,
    }
}

#[cfg(test)]
mod tests {
    use changtong_catalog::clock::SeededIds;
    use changtong_catalog::store::testing::sqlite;
    use uuid::Uuid;

    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn caller(key: &str) -> Caller {
        let id = Uuid::from_u128(7);
        Caller {
            agency: AgencyId(id),
            account: AccountId(id),
            key: KeyId(key.to_owned()),
            roles: Roles::default(),
        }
    }

    #[tokio::test]
    async fn one_event_per_caller_code_and_minute_once_it_is_over() {
        let fresh = sqlite().await;
        let ids = SeededIds::new(1);
        let refusals = Refusals::default();
        for second in [1, 30, 59] {
            let at = time("2027-01-01T10:00:00Z") + TimeDelta::seconds(second);
            refusals.count(&caller("a"), Code::Forbidden, at);
        }
        refusals.count(&caller("a"), Code::NotFound, time("2027-01-01T10:00:05Z"));
        refusals.count(&caller("b"), Code::Forbidden, time("2027-01-01T10:00:05Z"));
        refusals.count(&caller("a"), Code::Forbidden, time("2027-01-01T10:01:00Z"));
        let counts = async |now| {
            refusals.write(&fresh.store, time(now), &ids).await.unwrap();
            let mut session = fresh.store.read().await.unwrap();
            let events = session.events(&Default::default(), None, 100).await.unwrap();
            let body = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
            let mut counts: Vec<_> =
                events.iter().map(|event| body(&event.body)["count"].as_i64().unwrap()).collect();
            counts.sort_unstable();
            counts
        };
        assert_eq!(counts("2027-01-01T10:01:30Z").await, [1, 1, 3]);
        assert_eq!(refusals.waiting(), 0);
        assert_eq!(counts("2027-01-01T10:02:00Z").await, [1, 1, 1, 3]);
        fresh.done().await;
    }
}
