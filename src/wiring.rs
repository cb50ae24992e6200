//! From settings to engines: which log, and the gate between log and store.

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};
use changtong_catalog::store::{Lease, Store, StoreLedger};
use changtong_connectors::gate::{self, Alive, Gate, GateKeys, Parts};
use changtong_connectors::limit::Rates;
use changtong_connectors::log::embedded::EmbeddedLog;
use changtong_connectors::log::kafka::{
    self, KafkaCheck, KafkaLog, KafkaMetrics, KafkaSettings, Sasl, SaslMechanism, Tls,
};
use changtong_connectors::log::{Log, TopicSpec};
use changtong_connectors::metrics::Metrics;
use prometheus::Registry;

use crate::app::StartError;
use crate::keys::{KeyRing, Purpose};
use crate::settings::{Limits, Mechanism, Settings};

/// The log that the settings ask for: Kafka where brokers are named, else the embedded one in the data folder.
pub async fn open_log(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    registry: &Registry,
) -> Result<Arc<dyn Log>, StartError> {
    let metrics = KafkaMetrics::register(registry)?;
    if settings.kafka.brokers.is_empty() {
        return Ok(Arc::new(EmbeddedLog::open(&settings.data.dir.join("log.db"), clock).await?));
    }
    let log = KafkaLog::open(kafka_settings(settings)?, metrics)?;
    match log.check(&probe(settings)).await?.faults.into_iter().next() {
        Some(fault) => Err(fault.into()),
        None => Ok(Arc::new(log)),
    }
}

/// Asks the brokers that the settings name whether they can be used as set.
pub async fn look_at_kafka(settings: &Settings) -> Result<KafkaCheck, StartError> {
    let metrics = KafkaMetrics::register(&Registry::new())?;
    let log = KafkaLog::open(kafka_settings(settings)?, metrics)?;
    let found = log.check(&probe(settings)).await;
    log.close(Duration::from_secs(5)).await;
    Ok(found?)
}

/// A topic that never exists: resources are numbered from 1 on.
fn probe(settings: &Settings) -> TopicSpec {
    let name = TopicName::records(&settings.log.prefix, ResourceNumber(0), Generation(1));
    TopicSpec { name, partitions: settings.log.partitions, retention: None }
}

fn kafka_settings(settings: &Settings) -> Result<KafkaSettings, StartError> {
    let kafka = &settings.kafka;
    let sasl = match (&kafka.username, &kafka.password) {
        (Some(username), Some(password)) => {
            let password = password.read();
            let password =
                password.map_err(|reason| StartError::Setting { key: "kafka.password", reason })?;
            Some(Sasl {
                mechanism: match kafka.mechanism {
                    Mechanism::Plain => SaslMechanism::Plain,
                    Mechanism::ScramSha256 => SaslMechanism::ScramSha256,
                    Mechanism::ScramSha512 => SaslMechanism::ScramSha512,
                },
                username: username.clone(),
                password: kafka::Secret::new(password),
            })
        }
        _ => None,
    };
    Ok(KafkaSettings {
        brokers: kafka.brokers.join(","),
        tls: kafka.tls.then(|| Tls { ca: kafka.ca_file.clone() }),
        sasl,
        replication_factor: kafka.replication_factor,
        min_insync_replicas: kafka.min_insync_replicas,
        linger: kafka.linger,
    })
}

/// What a gate is started from.
pub struct Wires<'a> {
    pub settings: &'a Settings,
    pub store: &'a Store,
    pub log: Arc<dyn Log>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub keys: &'a KeyRing,
    pub alive: Alive,
    pub lease: Lease,
    pub registry: &'a Registry,
}

pub fn start_gate(wires: Wires<'_>) -> Result<Arc<Gate>, StartError> {
    let keys = GateKeys {
        handle: key_ring(wires.keys, Purpose::Handle)?,
        pseudonym: key_ring(wires.keys, Purpose::Pseudonym)?,
        cursor: key_ring(wires.keys, Purpose::Cursor)?,
    };
    let ledger =
        StoreLedger::new(wires.store.clone(), wires.clock.clone(), wires.ids.clone(), wires.lease.epoch);
    let gate = Gate::start(Parts {
        log: wires.log,
        ledger: Arc::new(ledger),
        directory: Arc::new(wires.store.clone()),
        clock: wires.clock,
        ids: wires.ids,
        keys,
        alive: wires.alive,
        metrics: Arc::new(Metrics::register(wires.registry)?),
        settings: gate_settings(wires.settings),
        epoch: wires.lease.epoch,
        marks: Some(wires.settings.data.dir.join("marks")),
    });
    Ok(gate?)
}

fn gate_settings(settings: &Settings) -> gate::Settings {
    gate::Settings {
        topic_prefix: settings.log.prefix.clone(),
        partitions: settings.log.partitions,
        settle_after: settings.time.settle_after,
        window: settings.time.window,
        heartbeat: settings.http.heartbeat,
        batch_records: settings.limits.batch,
        record_bytes: settings.limits.record.0,
        decompressed: settings.limits.decompressed.0,
        ratio: settings.limits.ratio as usize,
        bytes_in_flight: settings.limits.in_flight.0 as u64,
        zone: settings.time.zone.0,
        limits: rates(&settings.limits),
        ..gate::Settings::default()
    }
}

fn rates(limits: &Limits) -> gate::Limits {
    let rates = |requests, records, bytes| Rates {
        requests_per_second: requests,
        records_per_second: records,
        bytes_per_second: bytes,
    };
    gate::Limits {
        bus: rates(
            limits.bus_requests_per_second,
            limits.bus_records_per_second,
            limits.bus_bytes_per_second,
        ),
        agency: rates(
            limits.agency_requests_per_second,
            limits.agency_records_per_second,
            limits.agency_bytes_per_second,
        ),
        account: rates(
            limits.account_requests_per_second,
            limits.account_records_per_second,
            limits.account_bytes_per_second,
        ),
        key: rates(
            limits.key_requests_per_second,
            limits.key_records_per_second,
            limits.key_bytes_per_second,
        ),
        resource: rates(
            limits.resource_requests_per_second,
            limits.resource_records_per_second,
            limits.resource_bytes_per_second,
        ),
    }
}

fn key_ring(keys: &KeyRing, purpose: Purpose) -> Result<gate::KeyRing, Refusal> {
    let (current, _) = keys.in_force(purpose)?;
    let all = keys.all(purpose).map(|(id, key)| (id.to_owned(), *key.expose())).collect();
    gate::KeyRing::new(current, all).ok_or_else(|| {
        Refusal::new(Code::Internal, "密钥目录不一致", "the keys folder does not agree with itself")
    })
}
