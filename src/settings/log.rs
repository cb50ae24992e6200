//! `[log]` and `[kafka]`: where records are kept.

use std::path::PathBuf;
use std::time::Duration;

use super::section::section;
use super::source::Values;
use super::{Mechanism, Secret, SettingsError};

section! {
    /// Topics of both engines.
    Log in "log" {
        /// Partitions of a new topic; a topic keeps the number it was made with.
        partitions: i32 = "3";
        /// Stands before every topic name, so that several deployments can share a broker.
        prefix: String = "";
    }
}

section! {
    /// Apache Kafka; without brokers the embedded log keeps the records in the data folder.
    Kafka in "kafka" {
        /// `HOST:PORT` of some brokers.
        brokers: Vec<String> = "";
        /// Replicas of a new topic.
        replication_factor: i32 = "3";
        /// Replicas that must have a record before it is acknowledged (`min.insync.replicas`).
        min_insync_replicas: i32 = "2";
        /// Encrypt the connections to the brokers.
        tls: bool = "false";
        /// File of the certificate authority that signed the brokers' certificates; not set: the system's.
        ca_file: Option<PathBuf> = "";
        /// How long a small publish waits at most for others to share its request, while some are under way.
        linger: Duration = "2ms";
        /// How the user proves who it is: `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.
        mechanism: Mechanism = "SCRAM-SHA-512";
        /// User of the brokers; not set: no SASL.
        username: Option<String> = "";
        /// Password of that user, as `file:PATH` or `env:NAME`.
        password: Option<Secret> = "";
    }
}

impl Kafka {
    pub(super) fn check(&self, log: &Log, values: &Values) -> Result<(), SettingsError> {
        if !(1..=64).contains(&log.partitions) {
            return Err(values.wrong("log.partitions", "must lie between 1 and 64"));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if log.prefix.len() > 64 || !log.prefix.bytes().all(allowed) {
            return Err(values.wrong("log.prefix", "expected at most 64 of a-z, A-Z, 0-9, '.', '-' and '_'"));
        }
        if self.replication_factor < 1 || !(1..=self.replication_factor).contains(&self.min_insync_replicas) {
            return Err(
                values.wrong("kafka.min_insync_replicas", "must lie between 1 and kafka.replication_factor")
            );
        }
        if self.username.is_some() != self.password.is_some() {
            return Err(values.wrong("kafka.password", "kafka.username and kafka.password go together"));
        }
        Ok(())
    }
}
