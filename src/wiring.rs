//! From settings to engines: which log, and the gate between log and store.

use std::sync::Arc;

use changtong_catalog::clock::{Clock, Ids};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::store::{Lease, Store, StoreLedger};
use changtong_connectors::gate::{self, Alive, Gate, GateKeys, Parts};
use changtong_connectors::limit::Rates;
use changtong_connectors::log::Log;
use changtong_connectors::log::embedded::EmbeddedLog;
use changtong_connectors::metrics::Metrics;
use prometheus::Registry;

use crate::app::StartError;
use crate::keys::{KeyRing, Purpose};
use crate::settings::{Limits, Settings};

/// The log that the settings ask for.
pub async fn open_log(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<dyn Log>, StartError> {
    let path = settings.data.dir.join("log.db");
    Ok(Arc::new(EmbeddedLog::open(&path, clock).await?))
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
    Ok(Gate::start(Parts {
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
    }))
}

fn gate_settings(settings: &Settings) -> gate::Settings {
    gate::Settings {
        topic_prefix: settings.log.prefix.clone(),
        partitions: settings.log.partitions,
        settle_after: settings.time.settle_after,
        window: settings.time.window,
        batch_records: settings.limits.batch,
        record_bytes: settings.limits.record.0,
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
