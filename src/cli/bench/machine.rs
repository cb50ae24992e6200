//! Where a bench ran: figures mean nothing without the machine.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    cores: usize,
    model: String,
    memory_gib: u64,
}

impl Machine {
    /// This one, as far as /proc tells.
    pub fn here() -> Self {
        let file = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: model(&file("/proc/cpuinfo")).unwrap_or("unknown").to_owned(),
            memory_gib: total_kib(&file("/proc/meminfo")).unwrap_or(0) >> 20,
        }
    }

    pub fn as_json(&self) -> Value {
        json!({ "cores": self.cores, "model": self.model, "memory_gib": self.memory_gib })
    }

    /// One line for people.
    pub fn line(&self) -> String {
        format!(
            "{} cores, {}, {} GiB; load and server run on it together",
            self.cores, self.model, self.memory_gib
        )
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn total_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_memory_are_read() {
        assert_eq!(model("processor\t: 0\nmodel name\t: A: B\nmodel name\t: C\n"), Some("A: B"));
        assert_eq!(total_kib("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), Some(24_576_000));
        assert!(Machine::here().cores > 0);
    }
}
