//! Named places where a fault test kills or stops this process. In a build without the feature `faults` they are
//! nothing.

/// Between enqueuing records of one batch: part of it may be in the log.
pub const APPENDING: &str = "publish.appending";
/// All records are acknowledged, nothing is committed.
pub const APPENDED: &str = "publish.appended";
/// The committer is about to commit a group.
pub const COMMITTING: &str = "commit.before";
/// The group is committed, nobody has an answer.
pub const COMMITTED: &str = "commit.after";
/// A window is committed, no byte has left.
pub const OPENED: &str = "deliver.opened";
/// Bytes have left, the window is open.
pub const SENT: &str = "deliver.sent";

/// A batch of a copy into a new generation is in the log.
pub const COPIED: &str = "generation.copied";
/// All is copied, the cut-over is about to be committed.
pub const CUTTING_OVER: &str = "generation.before";
/// The cut-over is committed, nobody has an answer.
pub const CUT_OVER: &str = "generation.after";

/// What runs here is compared with what the store orders.
pub const COMPARING: &str = "connectors.comparing";

/// Rates see no time pass: what was taken of them stays taken.
pub const RATES_STAND_STILL: &str = "rates.stand_still";

/// The machine's clock is two days ahead at one look, and two days behind at the next.
pub const CLOCK_SWINGS: &str = "clock.swings";

/// Whether `CHANGTONG_FAULT` is `NAME=on`: something is otherwise for as long as the process runs.
#[cfg(feature = "faults")]
#[must_use]
pub fn holds(name: &str) -> bool {
    wanted().as_ref().is_some_and(|(place, act, _)| place == name && act == "on")
}

#[cfg(not(feature = "faults"))]
#[inline]
#[must_use]
pub fn holds(_name: &str) -> bool {
    false
}

/// What `CHANGTONG_FAULT` says: the place, what happens there, and at which passing.
#[cfg(feature = "faults")]
fn wanted() -> &'static Option<(String, String, u64)> {
    static WANTED: std::sync::OnceLock<Option<(String, String, u64)>> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "a fault is a test's doing, no setting of the service")]
    WANTED.get_or_init(|| {
        let text = std::env::var("CHANGTONG_FAULT").ok()?;
        let (place, act) = text.split_once('=')?;
        let (act, nth) = act.split_once('@').unwrap_or((act, "1"));
        Some((place.to_owned(), act.to_owned(), nth.parse().ok()?))
    })
}

/// Does here what `CHANGTONG_FAULT` says: `NAME=kill`, `NAME=stop`, `NAME=kill-late` (once what was handed to the
/// network has left), or `NAME=panic` (which ends the task alone) with words that the panic says, with `@N` at its N-th passing.
#[cfg(feature = "faults")]
#[expect(clippy::panic, reason = "a fault is a test's doing, no part of the service")]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Some((place, act, nth)) = wanted() else { return };
    if place != name || PASSED.fetch_add(1, Ordering::SeqCst) + 1 != *nth {
        return;
    }
    if let Some(words) = act.strip_prefix("panic") {
        std::panic::panic_any(format!("the fault {name}:{words}"));
    }
    if act == "kill-late" {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let signal = if act == "stop" { "-STOP" } else { "-KILL" };
    let sent = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    if act != "stop" || sent.is_err() {
        std::process::abort();
    }
}

#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_name: &str) {}
