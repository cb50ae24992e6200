//! Refusals of known callers (protocol.md 9): counted in memory, and written as one event per caller, code and minute
//! once the minute is over. Unknown callers are a metric only: they could fill the log.

use std::collections::BTreeMap;

use changtong_catalog::account::Caller;
use changtong_catalog::audit::{Actor, Event, Refused};
use changtong_catalog::clock::{Ids, Time};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{AccountId, AgencyId, EventId, KeyId};
use changtong_catalog::store::Store;
use chrono::{DurationRound as _, TimeDelta};
use parking_lot::Mutex;

/// Version of the rules that refuse, as decisions name it.
const POLICY: i32 = changtong_catalog::grant::decide::POLICY;

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
            minute: minute(at),
            agency: caller.agency,
            account: caller.account,
            key: caller.key.clone(),
            code,
        };
        *self.0.lock().entry(kind).or_default() += 1;
    }

    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().len()
    }

    /// Writes the events of minutes that are over; of all, at the end of the process. What fails waits for the next time.
    pub async fn write(&self, store: &Store, now: Time, ids: &dyn Ids, all: bool) -> Result<(), Refusal> {
        let over: BTreeMap<Kind, i64> = {
            let mut waiting = self.0.lock();
            let current = minute(now);
            let later = waiting.extract_if(.., |kind, _| all || kind.minute < current);
            later.collect()
        };
        if over.is_empty() {
            return Ok(());
        }
        let events: Vec<Event> = over.iter().map(|(kind, count)| event(kind, *count, now, ids)).collect();
        let written = async {
            let mut tx = store.begin().await?;
            tx.record_all(&events).await?;
            tx.finish().await
        };
        let result = written.await;
        if result.is_err() {
            let mut waiting = self.0.lock();
            for (kind, count) in over {
                *waiting.entry(kind).or_default() += count;
            }
        }
        result
    }
}

fn event(kind: &Kind, count: i64, now: Time, ids: &dyn Ids) -> Event {
    let actor = Actor::Key { agency: kind.agency, account: kind.account, key: kind.key.clone() };
    let what = Refused {
        refusal: kind.code,
        minute: kind.minute,
        count,
        resource: None,
        grant: None,
        policy: POLICY,
    };
    Event::new(EventId(ids.uuid(now)), now, actor, what)
}

fn minute(at: Time) -> Time {
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use changtong_catalog::account::Roles;
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
        let now = time("2027-01-01T10:01:30Z");
        refusals.write(&fresh.store, now, &ids, false).await.unwrap();
        assert_eq!(refusals.waiting(), 1);
        let mut session = fresh.store.read().await.unwrap();
        let events = session.events(&Default::default(), None, 100).await.unwrap();
        let counts: Vec<i64> = events
            .iter()
            .map(|event| serde_json::from_slice::<serde_json::Value>(&event.body).unwrap())
            .map(|body| body["count"].as_i64().unwrap())
            .collect();
        assert_eq!(counts.iter().sum::<i64>(), 5);
        assert_eq!(counts.len(), 3);
        drop(session);
        refusals.write(&fresh.store, now, &ids, true).await.unwrap();
        assert_eq!(refusals.waiting(), 0);
        fresh.done().await;
    }
}
