//! All sections together, and the rules between them.

pub use super::database::Database;
pub use super::folders::{Connectors, Data, Keys};
pub use super::http::Http;
pub use super::limits::Limits;
pub use super::log::{Kafka, Log};
pub use super::operations::Operations;
pub use super::registry::Registry;
pub use super::rules::Rules;
use super::source::Values;
pub use super::telemetry::Telemetry;
pub use super::time::Time;
use super::{Key, SettingsError};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub http: Http,
    pub registry: Registry,
    pub operations: Operations,
    pub data: Data,
    pub keys: Keys,
    pub connectors: Connectors,
    pub database: Database,
    pub log: Log,
    pub kafka: Kafka,
    pub limits: Limits,
    pub rules: Rules,
    pub time: Time,
    pub telemetry: Telemetry,
    /// `serve --dev`: relaxed rules, loopback only.
    pub dev: bool,
}

impl Settings {
    /// Every key, in the order of the commented default.
    pub fn keys() -> impl Iterator<Item = Key> {
        [
            Http::KEYS,
            Registry::KEYS,
            Operations::KEYS,
            Data::KEYS,
            Keys::KEYS,
            Connectors::KEYS,
            Database::KEYS,
            Log::KEYS,
            Kafka::KEYS,
            Limits::KEYS,
            Rules::KEYS,
            Time::KEYS,
            Telemetry::KEYS,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    pub(super) fn read(values: &Values, dev: bool) -> Result<Self, SettingsError> {
        let settings = Self {
            http: Http::read(values)?,
            registry: Registry::read(values)?,
            operations: Operations::read(values)?,
            data: Data::read(values)?,
            keys: Keys::read(values)?,
            connectors: Connectors::read(values)?,
            database: Database::read(values)?,
            log: Log::read(values)?,
            kafka: Kafka::read(values)?,
            limits: Limits::read(values)?,
            rules: Rules::read(values)?,
            time: Time::read(values)?,
            telemetry: Telemetry::read(values)?,
            dev,
        };
        settings.http.check(values, dev)?;
        settings.registry.check(&settings.http, values, dev)?;
        settings.operations.check(values)?;
        settings.database.check(values)?;
        settings.kafka.check(&settings.log, values)?;
        settings.limits.check(settings.http.account_share, values)?;
        settings.rules.check(values, dev)?;
        settings.time.check(values)?;
        Ok(settings)
    }

    /// Whether one account may approve or submit what it wrote itself: never, except under `--dev`.
    #[must_use]
    pub fn four_eyes(&self) -> bool {
        self.rules.four_eyes.unwrap_or(!self.dev)
    }
}
