//! What a bench says: counts, rates, the times that single calls took, and what the server used.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::failure::Done;
use super::super::output::Output;
use super::process::{self, Used};

#[derive(Debug, Default)]
pub struct Measured {
    pub what: &'static str,
    /// Records that count: visible ones when publishing, delivered ones when reading.
    pub records: u64,
    /// What the server's answers say, to compare.
    pub answered: u64,
    pub elapsed: Duration,
    /// Of each call.
    pub calls: Vec<Duration>,
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
    pub fn print(mut self, output: Output) -> Done {
        self.calls.sort_unstable();
        output.object(
            &self.as_json(),
            &[
                ("bench", "/bench"),
                ("records", "/records"),
                ("answered", "/answered"),
                ("seconds", "/seconds"),
                ("records/s", "/records_per_second"),
                ("calls", "/calls"),
                ("p50 ms", "/p50_ms"),
                ("p99 ms", "/p99_ms"),
                ("slowest ms", "/slowest_ms"),
                ("CPU s per million", "/cpu_seconds_per_million_records"),
                ("memory MiB", "/resident_mib"),
            ],
        )
    }

    fn as_json(&self) -> Value {
        let seconds = self.elapsed.as_secs_f64();
        let million = self.records as f64 / 1e6;
        let cpu =
            self.used.map(|(before, after)| (after.cpu.saturating_sub(before.cpu)).as_secs_f64() / million);
        json!({
            "bench": self.what,
            "records": self.records,
            "answered": self.answered,
            "seconds": round(seconds),
            "records_per_second": (self.records as f64 / seconds).round(),
            "calls": self.calls.len(),
            "p50_ms": self.part(50).map(millis),
            "p99_ms": self.part(99).map(millis),
            "slowest_ms": self.calls.last().copied().map(millis),
            "cpu_seconds_per_million_records": cpu.filter(|cpu| cpu.is_finite()).map(round),
            "resident_mib": self.used.map(|(_, after)| after.resident_bytes >> 20),
        })
    }

    /// Of the sorted calls, the one that so many of a hundred are not slower than.
    fn part(&self, percent: usize) -> Option<Duration> {
        let place = (self.calls.len() * percent).div_ceil(100);
        self.calls.get(place.saturating_sub(1)).copied()
    }
}

fn millis(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1000.0)
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_parts_are_what_they_say() {
        let used = |cpu, resident_bytes| Used { cpu: Duration::from_secs(cpu), resident_bytes };
        let measured = Measured {
            what: "publish",
            records: 2_000_000,
            answered: 2_000_000,
            elapsed: Duration::from_secs(10),
            calls: (1..=100).map(Duration::from_millis).collect(),
            used: Some((used(5, 1 << 20), used(8, 64 << 20))),
        };
        let json = measured.as_json();
        assert_eq!(json["records_per_second"], 200_000.0);
        assert_eq!(
            (&json["p50_ms"], &json["p99_ms"], &json["slowest_ms"]),
            (&json!(50.0), &json!(99.0), &json!(100.0))
        );
        assert_eq!(
            (&json["cpu_seconds_per_million_records"], &json["resident_mib"]),
            (&json!(1.5), &json!(64))
        );
        assert_eq!(Measured::default().part(50), None);
    }
}
