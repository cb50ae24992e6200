//! `App`: everything a server is made of, built once and handed to handlers and jobs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changtong_catalog::account::Caller;
use changtong_catalog::actions::Rules;
use changtong_catalog::audit::Build;
use changtong_catalog::clock::{Clock as _, Ids, Time};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::store::{LEASE, Lease, RENEW, Store, StoreConfig};
use changtong_connectors::gate::{Alive, Gate};
use changtong_connectors::log::Log;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::clock::{StoreClock, SystemIds};
use crate::connectors::Manager;
use crate::http::body::{BodyLimits, Bound};
use crate::http::guesses::Guesses;
use crate::http::registry::Callers;
use crate::http::shares::Shares;
use crate::jobs::{self, Background};
use crate::keys::{KeyRing, KeysError, Purpose};
use crate::node::{Node, NodeError};
use crate::refusals::Refusals;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use crate::uses::Uses;
use crate::wiring;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(
        "cannot listen on {address}: {error}; stop what listens there, or choose another address (http.listen, \
         registry.listen, operations.listen)"
    )]
    Listen { address: String, error: std::io::Error },
}

/// A running server, without its listeners.
pub struct App {
    pub settings: Settings,
    pub store: Store,
    pub log: Arc<dyn Log>,
    pub gate: Arc<Gate>,
    pub clock: Arc<StoreClock>,
    pub ids: Arc<dyn Ids>,
    pub keys: KeyRing,
    /// What actions are bound by in this deployment.
    pub rules: Rules,
    pub alive: Alive,
    pub metrics: Metrics,
    pub refusals: Refusals,
    pub uses: Uses,
    /// Who holds how much of what is served at once.
    pub shares: Shares,
    /// Credentials that were refused lately.
    pub guesses: Guesses,
    /// What is remembered of the registry's callers.
    pub registrants: Callers,
    pub lease: Mutex<Lease>,
    pub connectors: Manager,
    pub background: Background,
    /// Cancelled when the process must end: a signal, the lease is lost, or a task is that nothing goes on without.
    pub stop: CancellationToken,
    /// Cancelled when nothing is in flight any more.
    pub done: CancellationToken,
    _node: Node,
}

impl App {
    /// Opens the engines, takes the database and starts the gate; answers when requests may come.
    pub async fn open(settings: Settings) -> Result<Arc<Self>, StartError> {
        let ids: Arc<dyn Ids> = Arc::new(SystemIds);
        let node = Node::open(&settings.data.dir, &*ids)?;
        let store = Store::open(&store_config(&settings)?).await?;
        let asked = Instant::now();
        let clock = Arc::new(StoreClock::start(store.now().await?, asked));
        let keys = KeyRing::open(&keys_dir(&settings), clock.now(), &*ids)?;
        require_keys(&store, &keys, clock.now()).await?;
        let alive = Alive::new(clock.clone());
        let taken = take_database(&store, &node, &clock, &*ids, &alive).await?;
        let (store, lease) = (store.under(taken.epoch), Mutex::new(taken));
        store.keep_pseudonym_key(&keys.in_force(Purpose::Pseudonym)?.0).await?;
        store.name_subjects(&settings.log.prefix).await?;
        let metrics = Metrics::new()?;
        let starting = async {
            let log = wiring::open_log(&settings, clock.clone(), &metrics.registry).await?;
            let gate = wiring::start_gate(wiring::Wires {
                settings: &settings,
                store: &store,
                log: log.clone(),
                clock: clock.clone(),
                ids: ids.clone(),
                keys: &keys,
                alive: alive.clone(),
                lease: *lease.lock(),
                registry: &metrics.registry,
            })?;
            gate.recover().await?;
            Ok::<_, StartError>((log, gate))
        };
        // Many topics or a slow broker may take longer than a lease lasts.
        let (log, gate) = tokio::select! {
            started = starting => started?,
            never = jobs::keep_lease(&store, &clock, &alive, &lease, RENEW) => match never {},
        };
        let rules = Rules {
            four_eyes: settings.four_eyes(),
            zone: settings.time.zone.0,
            handle_key: keys.in_force(Purpose::Handle)?.0,
            pseudonym_key: keys.in_force(Purpose::Pseudonym)?.0,
            topic_prefix: settings.log.prefix.clone(),
            subscriptions: settings.limits.subscriptions,
        };
        Ok(Arc::new(Self {
            shares: Shares::new(&settings.http, gate.budget(), settings.database.connections),
            guesses: Guesses::new(&settings.http, Instant::now()),
            registrants: Callers::default(),
            rules,
            settings,
            store,
            log,
            gate,
            clock,
            ids,
            keys,
            alive,
            metrics,
            refusals: Refusals::default(),
            uses: Uses::default(),
            lease,
            connectors: Manager::default(),
            background: Background::default(),
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
            _node: node,
        }))
    }

    /// What a body of records may be.
    #[must_use]
    pub fn body_limits(&self) -> BodyLimits {
        let limits = &self.settings.limits;
        BodyLimits {
            arriving: Bound(limits.body.0, "limits.body"),
            decompressed: Bound(limits.decompressed.0, "limits.decompressed"),
            ratio: limits.ratio as usize,
            pause: self.settings.http.body_timeout,
            rate: self.settings.http.body_rate.0,
        }
    }

    /// What any other body may be: a document of the control plane.
    #[must_use]
    pub fn document_limits(&self) -> BodyLimits {
        let most = Bound(self.settings.limits.document.0, "limits.document");
        BodyLimits { arriving: most, decompressed: most, ..self.body_limits() }
    }

    /// Counts a refusal: of a known caller for its event, of anybody else as a metric alone.
    pub fn refused(&self, caller: Option<&Caller>, code: Code) {
        match caller {
            Some(caller) => self.refusals.count(caller, code, self.clock.now()),
            None if code == Code::Unauthenticated => self.metrics.http.unknown_caller(),
            None => {}
        }
    }

    /// Each check of readiness with its outcome.
    pub async fn readiness(&self) -> Vec<(&'static str, Result<(), Code>)> {
        let store = self.store.now().await.map(drop).map_err(|refusal| refusal.code);
        let clock = if self.clock.skewed() { Err(Code::ClockSkew) } else { Ok(()) };
        let lease = self.alive.admit().map_err(|refusal| refusal.code);
        let marks = if self.gate.is_store_older() { Err(Code::StoreOlderThanLog) } else { Ok(()) };
        let log = self.log_answers().await;
        let background = if self.background.broken().is_empty() { Ok(()) } else { Err(Code::Internal) };
        vec![
            ("store", store),
            ("log", log),
            ("clock", clock),
            ("lease", lease),
            ("marks", marks),
            ("background", background),
        ]
    }

    async fn log_answers(&self) -> Result<(), Code> {
        const PATIENCE: Duration = Duration::from_secs(3);
        match tokio::time::timeout(PATIENCE, self.log.answers()).await {
            Ok(answered) => answered.map_err(|refusal| refusal.code),
            Err(_) => Err(Code::BrokerUnavailable),
        }
    }
}

pub fn store_config(settings: &Settings) -> Result<StoreConfig, StartError> {
    let database = &settings.database;
    let password = database.password.as_ref().map(|secret| secret.read()).transpose();
    Ok(StoreConfig {
        url: database
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", settings.data.dir.join("catalog.db").display())),
        password: password.map_err(|reason| StartError::Setting { key: "database.password", reason })?,
        connections: database.connections,
    })
}

fn keys_dir(settings: &Settings) -> PathBuf {
    settings.keys.dir.clone().unwrap_or_else(|| settings.data.dir.join("keys"))
}

/// Key material that the store names must be there (protocol.md 10): of keys that stand and of grants that may deliver.
async fn require_keys(store: &Store, keys: &KeyRing, now: Time) -> Result<(), StartError> {
    let mut session = store.read().await?;
    for pepper in session.peppers().await? {
        keys.require(Purpose::Pepper, &pepper)?;
    }
    for key in session.handle_keys(now).await? {
        keys.require(Purpose::Handle, &key)?;
    }
    for key in session.pseudonym_keys(now).await? {
        keys.require(Purpose::Pseudonym, &key)?;
    }
    Ok(())
}

/// Takes the row of the one server. A predecessor on another node that died without releasing it is waited for; one that
/// renews its lease meanwhile lives.
async fn take_database(
    store: &Store,
    node: &Node,
    clock: &StoreClock,
    ids: &dyn Ids,
    alive: &Alive,
) -> Result<Lease, StartError> {
    const BUILD: Build = Build(env!("CARGO_PKG_VERSION"));
    let give_up = clock.monotonic() + LEASE + Duration::from_secs(2);
    let mut first_seen = None;
    loop {
        let before = clock.monotonic();
        let refusal = match store.take_server(node.id(), BUILD, clock.now(), ids).await {
            Ok(lease) => {
                alive.extend(before + LEASE);
                return Ok(lease);
            }
            Err(refusal) => refusal,
        };
        let until = refusal.extra.get("until").cloned();
        let renewed = until.is_some_and(|until| *first_seen.get_or_insert_with(|| until.clone()) != until);
        // What a server that died had begun may take a moment to end.
        let waits = matches!(refusal.code, Code::AnotherServerActive | Code::StoreUnavailable);
        if !waits || renewed || before >= give_up {
            return Err(refusal.into());
        }
        tracing::info!("the database is held by another server; waiting for the end of its lease");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
