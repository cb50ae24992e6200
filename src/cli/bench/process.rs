//! What a process of this machine has used, from /proc.

use std::time::Duration;

/// Clock ticks a second that /proc counts in; the same on every Linux machine we build for.
const TICKS: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    pub cpu: Duration,
    pub resident_bytes: u64,
}

impl Used {
    pub fn resident_mib(&self) -> f64 {
        self.resident_bytes as f64 / f64::from(1 << 20)
    }
}

/// `None`: there is no such process here.
pub fn used(pid: u32) -> Option<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Used { cpu: cpu(&stat)?, resident_bytes: resident(&status)? })
}

/// User and system time: the 14th and 15th field; the second is a name in brackets that may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(resident("Name:\ta\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!(cpu("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(used(std::process::id()).unwrap().resident_bytes > 0);
    }
}
