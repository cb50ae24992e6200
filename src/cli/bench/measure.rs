//! What most benches measure: counts, rates, the times that single calls took, and what the server used.

use std::time::Duration;

use super::process::{self, Used};
use super::report::Row;

#[derive(Debug, Default)]
pub struct Measured {
    /// Records that count: visible ones when publishing, delivered ones when reading.
    pub records: u64,
    /// What the server's answers say, to compare.
    pub answered: u64,
    pub elapsed: Duration,
    /// Of each call.
    pub calls: Times,
    /// Calls that were refused for the moment and sent again, whose time has the pauses in it.
    pub sent_again: Option<u64>,
    pub used: Option<(Used, Used)>,
}

/// Measures the server from here on.
pub fn start(pid: Option<u32>) -> Option<(u32, Used)> {
    let pid = pid?;
    Some((pid, process::used(pid)?))
}

/// What it used since.
pub fn stop(started: Option<(u32, Used)>) -> Option<(Used, Used)> {
    let (pid, before) = started?;
    Some((before, process::used(pid)?))
}

impl Measured {
    /// Records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }

    pub fn row(mut self, bench: impl Into<String>) -> Row {
        let seconds = self.elapsed.as_secs_f64();
        let cpu = self.used.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
        let calls = self.calls.len();
        Row::new(bench)
            .with("records", self.records as f64)
            .with("answered", self.answered as f64)
            .with("seconds", seconds)
            .with("records_per_second", self.rate().round())
            .with("calls", calls as f64)
            .with_some("sent_again", self.sent_again.map(|count| count as f64))
            .with_some("p50_ms", self.calls.part(50))
            .with_some("p99_ms", self.calls.part(99))
            .with_some("slowest_ms", self.calls.part(100))
            .with_some("cpu_seconds_per_million_records", cpu.map(|cpu| cpu * 1e6 / self.records as f64))
            .with_some("resident_mib", self.used.map(|(_, after)| after.resident_mib()))
    }
}

/// How long single things took.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds the time that so many of a hundred do not exceed.
    pub fn part(&mut self, percent: usize) -> Option<f64> {
        self.0.sort_unstable();
        let place = (self.0.len() * percent).div_ceil(100);
        let found = self.0.get(place.saturating_sub(1))?;
        Some(found.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_parts_are_what_they_say() {
        let used = |cpu, resident_bytes| Used { cpu: Duration::from_secs(cpu), resident_bytes };
        let measured = Measured {
            records: 2_000_000,
            answered: 2_000_000,
            elapsed: Duration::from_secs(10),
            calls: Times((1..=100).rev().map(Duration::from_millis).collect()),
            sent_again: None,
            used: Some((used(5, 1 << 20), used(8, 64 << 20))),
        };
        let wanted = Row::new("publish")
            .with("records", 2e6)
            .with("answered", 2e6)
            .with("seconds", 10.0)
            .with("records_per_second", 2e5)
            .with("calls", 100.0)
            .with("p50_ms", 50.0)
            .with("p99_ms", 99.0)
            .with("slowest_ms", 100.0)
            .with("cpu_seconds_per_million_records", 1.5)
            .with("resident_mib", 64.0);
        assert_eq!(measured.row("publish"), wanted);
        assert_eq!(Times::default().part(50), None);
    }
}
