//! Rates: how much a bus, an agency, an account, a resource and a grant may move a second, in that order
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
use changtong_catalog::ids::{AccountId, AgencyId, GrantId, ResourceNumber};
use changtong_catalog::request::GrantLimits;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use bucket::{Bucket, Monotonic};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    Bus,
    Agency(AgencyId),
    Account(AccountId),
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
    /// `bus`, `agency`, `account`, `resource` or `grant`.
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
    subjects: Mutex<HashMap<Subject, Arc<Buckets>>>,
}

struct Buckets {
    rates: Rates,
    buckets: [Option<Bucket>; 3],
}

impl Limiter {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, subjects: Mutex::new(HashMap::new()) }
    }

    /// Takes the cost from every level, or nothing from any and says which limit refused.
    pub fn take(&self, levels: &Levels, cost: Cost) -> Result<(), Refusal> {
        let held: Vec<_> =
            levels.iter().map(|(subject, rates)| (subject, self.buckets(*subject, *rates))).collect();
        for (subject, buckets) in &held {
            for measure in Measure::ALL {
                self.check(subject, buckets, measure, cost.of(measure))?;
            }
        }
        for (subject, buckets) in &held {
            for measure in Measure::ALL {
                let n = u32::try_from(cost.of(measure)).ok().and_then(NonZeroU32::new);
                if let (Some(bucket), Some(n)) = (buckets.bucket(measure), n)
                    && !bucket.take(n)
                {
                    // Another call was faster since the look: what wider levels gave is lost, which only errs on
                    // the side of the limit.
                    return Err(self.refused(subject, bucket, measure, n.get()));
                }
            }
        }
        Ok(())
    }

    /// Whether `take` would take it now; takes nothing.
    pub fn check_only(&self, levels: &Levels, cost: Cost) -> Result<(), Refusal> {
        for (subject, rates) in levels {
            let buckets = self.buckets(*subject, *rates);
            for measure in Measure::ALL {
                self.check(subject, &buckets, measure, cost.of(measure))?;
            }
        }
        Ok(())
    }

    /// How many records and bytes all levels would let through now.
    #[must_use]
    pub fn spare(&self, levels: &Levels) -> (u64, u64) {
        let least = |measure| {
            let left = |(subject, rates): &(Subject, Rates)| match rates.of(measure) {
                None => u64::MAX,
                Some(0) => 0,
                Some(_) => {
                    let buckets = self.buckets(*subject, *rates);
                    buckets.bucket(measure).map_or(u64::MAX, |bucket| u64::from(bucket.left()))
                }
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
        let mut all = Vec::new();
        for (subject, rates) in levels {
            let buckets = self.buckets(*subject, *rates);
            for measure in Measure::ALL {
                let Some(value) = rates.of(measure) else { continue };
                let (left, resets_in) =
                    buckets.bucket(measure).map_or((0, Duration::ZERO), |b| (b.left(), b.resets_in()));
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
        self.subjects.lock().retain(|_, buckets| {
            Arc::strong_count(buckets) > 1
                || buckets.buckets.iter().flatten().any(|bucket| bucket.resets_in() > Duration::ZERO)
        });
    }

    /// Subjects with state.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.subjects.lock().len()
    }

    fn buckets(&self, subject: Subject, rates: Rates) -> Arc<Buckets> {
        if rates == Rates::default() {
            return Arc::new(Buckets { rates, buckets: [None, None, None] });
        }
        let mut subjects = self.subjects.lock();
        let fresh = || {
            let make =
                |value: u32| NonZeroU32::new(value).map(|v| Bucket::new(v, Monotonic(self.clock.clone())));
            Arc::new(Buckets { rates, buckets: Measure::ALL.map(|measure| rates.of(measure).and_then(make)) })
        };
        let buckets = subjects.entry(subject).or_insert_with(fresh);
        if buckets.rates != rates {
            *buckets = fresh();
        }
        buckets.clone()
    }

    fn check(&self, subject: &Subject, buckets: &Buckets, measure: Measure, n: u64) -> Result<(), Refusal> {
        let Some(value) = buckets.rates.of(measure).filter(|_| n > 0) else { return Ok(()) };
        let bucket = buckets.bucket(measure);
        match (bucket, u32::try_from(n)) {
            (Some(bucket), Ok(n)) if n <= value && bucket.left() >= n => Ok(()),
            (Some(bucket), Ok(n)) if n <= value => Err(self.refused(subject, bucket, measure, n)),
            _ => Err(too_much(subject, measure, value, n)),
        }
    }

    fn refused(&self, subject: &Subject, bucket: &Bucket, measure: Measure, n: u32) -> Refusal {
        let (level, limit, value) = (subject.level(), measure.name(), bucket.value());
        let resets_at = self.clock.now() + bucket.resets_in();
        Refusal::new(
            Code::RateLimited,
            format!("{level} 级限制 {limit}={value} 已用完,请稍后重试"),
            format!("the limit {limit}={value} of the {level} is used up for the moment; come back later"),
        )
        .with("level", level)
        .with("limit", limit)
        .with("value", value)
        .with("used", value - bucket.left())
        .with("left", bucket.left())
        .with("resets_at", rfc3339(resets_at))
        .retry_after(bucket.wait_for(n).max(Duration::from_millis(1)))
    }
}

impl Buckets {
    fn bucket(&self, measure: Measure) -> Option<&Bucket> {
        self.buckets[measure as usize].as_ref()
    }
}

fn too_much(subject: &Subject, measure: Measure, value: u32, n: u64) -> Refusal {
    let (level, limit) = (subject.level(), measure.name());
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
