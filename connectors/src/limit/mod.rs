//! Rates: how much a bus, an agency, an account, a key, a resource and a grant may move a second, in that order
//! (DESIGN.md 6). Many keys of one agency share its limit; a call that one level refuses takes nothing from any.

mod bucket;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::{Clock, rfc3339};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{AccountId, AgencyId, GrantId, KeyId, ResourceNumber};
use changtong_catalog::request::GrantLimits;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use bucket::{Bucket, Reading};

use crate::fault;

/// What one subject may do a second; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    pub requests_per_second: Option<u32>,
    pub records_per_second: Option<u32>,
    pub bytes_per_second: Option<u32>,
}

impl Rates {
    #[must_use]
    pub fn of_grant(limits: &GrantLimits) -> Self {
        Self {
            requests_per_second: limits.requests_per_second,
            records_per_second: limits.records_per_second,
            bytes_per_second: limits.bytes_per_second,
        }
    }

    fn of(&self, measure: Measure) -> Option<u32> {
        match measure {
            Measure::Requests => self.requests_per_second,
            Measure::Records => self.records_per_second,
            Measure::Bytes => self.bytes_per_second,
        }
    }
}

/// Whose rate it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    Bus,
    Agency(AgencyId),
    Account(AccountId),
    Key(KeyId),
    Resource(ResourceNumber),
    Grant(GrantId),
}

impl Subject {
    #[must_use]
    pub const fn level(&self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Agency(_) => "agency",
            Self::Account(_) => "account",
            Self::Key(_) => "key",
            Self::Resource(_) => "resource",
            Self::Grant(_) => "grant",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Requests,
    Records,
    Bytes,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Requests, Self::Records, Self::Bytes];

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_second",
            Self::Records => "records_per_second",
            Self::Bytes => "bytes_per_second",
        }
    }
}

/// What a call weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    pub requests: u64,
    pub records: u64,
    pub bytes: u64,
}

impl Cost {
    fn of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Requests => self.requests,
            Measure::Records => self.records,
            Measure::Bytes => self.bytes,
        }
    }
}

/// One limit and what is left of it now, for `whoami` and `grant show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// `bus`, `agency`, `account`, `key`, `resource` or `grant`.
    pub level: &'static str,
    /// `requests_per_second`, `records_per_second` or `bytes_per_second`.
    pub limit: &'static str,
    pub value: u32,
    pub used: u32,
    pub left: u32,
    /// Until all of it is there again.
    pub resets_in_ms: u64,
}

/// The rates of a call, from the widest subject to the narrowest.
pub type Levels = [(Subject, Rates)];

pub struct Limiter {
    clock: Arc<dyn Clock>,
    /// Held for the whole of a call's decision, so that what one level refuses was taken from none.
    subjects: Mutex<Subjects>,
}

type Subjects = HashMap<Subject, Buckets, RandomState>;

#[derive(Debug, Clone, Copy)]
struct Buckets {
    rates: Rates,
    buckets: [Bucket; 3],
}

impl Limiter {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, subjects: Mutex::default() }
    }

    /// Takes the cost from every level, or nothing from any and says which limit refused.
    pub fn take(&self, levels: &Levels, cost: Cost) -> Result<(), Refusal> {
        let now = self.reading();
        let taken = {
            let mut subjects = self.subjects.lock();
            fits(&subjects, levels, cost, now).map(|()| charge(&mut subjects, levels, cost, now))
        };
        taken.map_err(|short| self.refused(&short, now))
    }

    /// Whether `take` would take it now; takes nothing.
    pub fn check_only(&self, levels: &Levels, cost: Cost) -> Result<(), Refusal> {
        let now = self.reading();
        let answer = fits(&self.subjects.lock(), levels, cost, now);
        answer.map_err(|short| self.refused(&short, now))
    }

    /// How many records and bytes all levels would let through now.
    #[must_use]
    pub fn spare(&self, levels: &Levels) -> (u64, u64) {
        let now = self.reading();
        let subjects = self.subjects.lock();
        let least = |measure| {
            let left = |(subject, rates): &(Subject, Rates)| match rates.of(measure) {
                None => u64::MAX,
                Some(value) => u64::from(Buckets::of(&subjects, subject, *rates).left(measure, value, now)),
            };
            levels.iter().map(left).min().unwrap_or(u64::MAX)
        };
        (least(Measure::Records), least(Measure::Bytes))
    }

    /// The narrowest bytes a second of the levels: what a single record may weigh at most.
    #[must_use]
    pub fn most_bytes(levels: &Levels) -> u64 {
        levels.iter().filter_map(|(_, rates)| rates.bytes_per_second).min().map_or(u64::MAX, u64::from)
    }

    #[must_use]
    pub fn left(&self, levels: &Levels) -> Vec<Left> {
        let now = self.reading();
        let subjects = self.subjects.lock();
        let mut all = Vec::new();
        for (subject, rates) in levels {
            let buckets = Buckets::of(&subjects, subject, *rates);
            for measure in Measure::ALL {
                let Some(value) = rates.of(measure) else { continue };
                let left = buckets.left(measure, value, now);
                let resets_in = buckets.bucket(measure).resets_in(now);
                all.push(Left {
                    level: subject.level(),
                    limit: measure.name(),
                    value,
                    used: value - left,
                    left,
                    resets_in_ms: u64::try_from(resets_in.as_millis()).unwrap_or(u64::MAX),
                });
            }
        }
        all
    }

    /// Drops the subjects that are idle; they begin anew with everything left, as they stand now.
    pub fn sweep(&self) {
        let now = self.reading();
        self.subjects.lock().retain(|_, buckets| !buckets.are_idle(now));
    }

    /// Subjects with state.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.subjects.lock().len()
    }

    fn reading(&self) -> Reading {
        if fault::holds(fault::RATES_STAND_STILL) {
            return Reading(0);
        }
        Reading(u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX))
    }

    fn refused(&self, short: &Short, now: Reading) -> Refusal {
        let Short { level, measure, value, asked, bucket } = *short;
        let limit = measure.name();
        let Some((n, rate)) = u32::try_from(asked).ok().filter(|n| *n <= value).zip(NonZeroU32::new(value))
        else {
            return too_much(level, limit, value, asked);
        };
        let (left, resets_in) = (bucket.left(rate, now), bucket.resets_in(now));
        Refusal::new(
            Code::RateLimited,
            format!("{level} 级限制 {limit}={value} 已用完,请稍后重试"),
            format!("the limit {limit}={value} of the {level} is used up for the moment; come back later"),
        )
        .with("level", level)
        .with("limit", limit)
        .with("value", value)
        .with("used", value - left)
        .with("left", left)
        .with("resets_at", rfc3339(self.clock.now() + resets_in))
        .retry_after(bucket.wait_for(n, rate, now).max(Duration::from_millis(1)))
    }
}

impl Buckets {
    /// What a subject that nothing is known of, or whose rates have changed, has left: everything.
    fn of(subjects: &Subjects, subject: &Subject, rates: Rates) -> Self {
        let known = subjects.get(subject).filter(|buckets| buckets.rates == rates);
        known.copied().unwrap_or(Self { rates, buckets: [Bucket::default(); 3] })
    }

    fn bucket(&self, measure: Measure) -> Bucket {
        self.buckets[measure as usize]
    }

    fn left(&self, measure: Measure, value: u32, now: Reading) -> u32 {
        NonZeroU32::new(value).map_or(0, |value| self.bucket(measure).left(value, now))
    }

    fn are_idle(&self, now: Reading) -> bool {
        self.buckets.iter().all(|bucket| bucket.resets_in(now).is_zero())
    }
}

/// The limit that is too narrow for a call, as it stood.
struct Short {
    level: &'static str,
    measure: Measure,
    value: u32,
    asked: u64,
    bucket: Bucket,
}

fn fits(subjects: &Subjects, levels: &Levels, cost: Cost, now: Reading) -> Result<(), Short> {
    for (subject, rates) in limited(levels) {
        let buckets = Buckets::of(subjects, subject, *rates);
        for measure in Measure::ALL {
            let (bucket, asked) = (buckets.bucket(measure), cost.of(measure));
            let Some(value) = rates.of(measure).filter(|_| asked > 0) else { continue };
            if without(bucket, asked, value, now).is_none() {
                return Err(Short { level: subject.level(), measure, value, asked, bucket });
            }
        }
    }
    Ok(())
}

fn charge(subjects: &mut Subjects, levels: &Levels, cost: Cost, now: Reading) {
    for (subject, rates) in limited(levels) {
        let mut buckets = Buckets::of(subjects, subject, *rates);
        for measure in Measure::ALL {
            let taken = rates
                .of(measure)
                .and_then(|value| without(buckets.bucket(measure), cost.of(measure), value, now));
            if let Some(taken) = taken {
                buckets.buckets[measure as usize] = taken;
            }
        }
        subjects.insert(subject.clone(), buckets);
    }
}

fn limited(levels: &Levels) -> impl Iterator<Item = &(Subject, Rates)> {
    levels.iter().filter(|(_, rates)| *rates != Rates::default())
}

fn without(bucket: Bucket, n: u64, value: u32, now: Reading) -> Option<Bucket> {
    let (n, value) = (NonZeroU32::new(u32::try_from(n).ok()?)?, NonZeroU32::new(value)?);
    bucket.without(n, value, now)
}

fn too_much(level: &str, limit: &str, value: u32, n: u64) -> Refusal {
    Refusal::new(
        Code::RateLimited,
        format!("一次 {n} 超过 {level} 级限制 {limit}={value},请分成更小的批次"),
        format!("{n} at once is more than the limit {limit}={value} of the {level}; send smaller batches"),
    )
    .with("level", level)
    .with("limit", limit)
    .with("value", value)
    .with("asked", n)
}
