//! One resource, one grant, its provider and its consumer, and a gate between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::account::{Caller, Role};
use changtong_catalog::clock::{Clock, ManualClock, SeededIds};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Cause, Grant, GrantState, Subscription};
use changtong_catalog::ids::*;
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{Receipt, ResourceStanding, SchemaText, SchemaVersion};
use changtong_catalog::request::Purpose;
use changtong_catalog::resource::{
    Item, ItemType, Kind, Resource, ResourceFile, ResourceState, ShareType, UpdateCycle,
};
use changtong_catalog::sample;
use prometheus::Registry;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::directory::view;
use super::log::MemoryLog;
use super::store::MemoryStore;
use crate::gate::*;
use crate::log::Log;
use crate::metrics::Metrics;

#[derive(Clone)]
pub struct World {
    pub clock: Arc<ManualClock>,
    pub log: Arc<MemoryLog>,
    pub store: Arc<MemoryStore>,
    pub gate: Arc<Gate>,
    pub alive: Alive,
}

/// One whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub records: Vec<Value>,
    pub next: String,
    pub window: Option<String>,
    pub digest: Option<String>,
    /// Digest of the record lines as they came.
    pub received: String,
}

impl Answer {
    pub fn ids(&self) -> Vec<&str> {
        self.records.iter().map(|record| record["id"].as_str().unwrap()).collect()
    }
}

pub fn provider() -> Caller {
    caller(1, 11, "provider")
}

pub fn consumer() -> Caller {
    caller(2, 21, "consumer")
}

pub fn caller(agency: u128, account: u128, key: &str) -> Caller {
    Caller {
        agency: AgencyId(Uuid::from_u128(agency)),
        account: AccountId(Uuid::from_u128(account)),
        key: KeyId(key.to_owned()),
        roles: [Role::Integrator].into_iter().collect(),
    }
}

pub const SUBSCRIPTION: SubscriptionId = SubscriptionId(Uuid::from_u128(5));

fn item(name: &str, kind: ItemType, nullable: bool) -> Item {
    Item {
        name: name.to_owned(),
        title: format!("项{name}"),
        kind,
        nullable,
        grade: 1,
        length: None,
        precision: None,
        scale: None,
        values: Vec::new(),
        unit: None,
        mask: None,
        default: None,
        aliases: Vec::new(),
    }
}

fn resource(kind: Kind) -> ResourceStanding {
    let file = ResourceFile {
        class: "3070220601".to_owned(),
        title: "测试".to_owned(),
        provider: "provider".to_owned(),
        summary: String::new(),
        kind,
        retention: "forever".to_owned(),
        share_type: ShareType::Conditional,
        share_condition: None,
        share_scope: None,
        withheld_basis: None,
        update_cycle: UpdateCycle::Daily,
        auto_register: false,
        key: vec!["id".to_owned()],
        items: vec![
            item("id", ItemType::I, false),
            item("v", ItemType::C, true),
            item("secret", ItemType::C, true),
        ],
    };
    let text = |id| SchemaText { id: SchemaId(id), text: String::new(), fingerprint: String::new() };
    let account = AccountId(Uuid::from_u128(11));
    let version = SchemaVersion { version: 1, schema: text(7), items: file.items.clone() };
    ResourceStanding {
        resource: Resource {
            number: ResourceNumber(1),
            code: "3070220601/000001".parse().unwrap(),
            provider: AgencyId(Uuid::from_u128(1)),
            state: ResourceState::Published,
            version: 1,
            generation: Generation(1),
            file,
            written_by: account,
            submitted_by: Some(account),
            approved_by: Some(account),
            schema: Some(SchemaId(7)),
            key_schema: Some(SchemaId(8)),
            published_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            log_rolled_back: false,
            suspended_by: None,
            provider_suspended: false,
            proposal: None,
        },
        topic: None,
        versions: [version].into(),
        key_schema: Some(text(8)),
    }
}

fn grant() -> Grant {
    Grant {
        number: GrantNumber(1),
        resource: ResourceNumber(1),
        purposes: vec![Purpose { code: "test".to_owned(), text: "测试".to_owned() }],
        items: vec!["id".to_owned(), "v".to_owned()],
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        valid_until: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        ..sample::grant()
    }
}

fn keys() -> GateKeys {
    let ring = |id: &str, byte| KeyRing::new(id, BTreeMap::from([(id.to_owned(), [byte; 32])])).unwrap();
    GateKeys { handle: ring("h1", 1), pseudonym: ring("p1", 2), cursor: ring("c1", 3) }
}

fn gate_on(
    clock: Arc<ManualClock>,
    log: Arc<dyn Log>,
    store: Arc<MemoryStore>,
    alive: Alive,
    settings: Settings,
    epoch: i64,
    marks: Option<PathBuf>,
) -> Arc<Gate> {
    Gate::start(Parts {
        log,
        ledger: store.clone(),
        directory: store,
        clock,
        ids: Arc::new(SeededIds::new(epoch.unsigned_abs())),
        keys: keys(),
        alive,
        metrics: Arc::new(Metrics::register(&Registry::new()).unwrap()),
        settings,
        epoch,
        marks,
    })
    .unwrap()
}

impl World {
    pub fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings, &mut Grant)) -> Self {
        let clock = Arc::new(ManualClock::at("2026-06-01T00:00:00Z".parse().unwrap()));
        let mut settings = Settings { outcome_deadline: Duration::from_millis(300), ..Settings::default() };
        let mut grant = grant();
        change(&mut settings, &mut grant);
        let store = Arc::new(MemoryStore::new(clock.clone(), resource(Kind::Table), grant));
        let log = Arc::new(MemoryLog::default());
        Self::start(clock, log, store, settings, 1, None)
    }

    /// A gate of the next server on another log, where a test brings its own.
    pub fn on(&self, log: Arc<dyn Log>, epoch: i64) -> Arc<Gate> {
        let (clock, store) = (self.clock.clone(), self.store.clone());
        gate_on(clock, log, store, self.alive.clone(), Settings::default(), epoch, None)
    }

    fn start(
        clock: Arc<ManualClock>,
        log: Arc<MemoryLog>,
        store: Arc<MemoryStore>,
        settings: Settings,
        epoch: i64,
        marks: Option<PathBuf>,
    ) -> Self {
        let alive = Alive::new(clock.clone());
        alive.extend(clock.monotonic() + Duration::from_secs(1_000_000));
        let gate = gate_on(clock.clone(), log.clone(), store.clone(), alive.clone(), settings, epoch, marks);
        Self { clock, log, store, gate, alive }
    }

    /// The next server on the same store and log; the old one moves nothing more.
    pub fn restart(&self, epoch: i64, marks: Option<PathBuf>) -> Self {
        self.alive.lose();
        let settings = Settings { outcome_deadline: Duration::from_millis(300), ..Settings::default() };
        Self::start(self.clock.clone(), self.log.clone(), self.store.clone(), settings, epoch, marks)
    }

    pub fn topic(&self) -> TopicName {
        TopicName::records("", ResourceNumber(1), Generation(1))
    }

    pub fn ask(&self, body: &str) -> Publish {
        let held = self.gate.budget().take(body.len() as u64).unwrap();
        Publish {
            caller: provider(),
            resource: "3070220601/000001".parse().unwrap(),
            format: Format::Ndjson,
            on_invalid: OnInvalid::Reject,
            body: Body { bytes: Bytes::copy_from_slice(body.as_bytes()), held },
            idempotency_key: None,
            source: None,
        }
    }

    pub async fn publish(&self, body: &str) -> Result<Receipt, Refusal> {
        self.gate.publish(self.ask(body)).await
    }

    /// A replay by the provider, of a corrected record if there is one.
    pub async fn replay(
        &self,
        aside: SetAside,
        corrected: Option<&str>,
        overwrite: bool,
    ) -> Result<Receipt, Refusal> {
        self.replay_by(provider(), aside, corrected, overwrite).await
    }

    pub async fn replay_by(
        &self,
        caller: Caller,
        aside: SetAside,
        corrected: Option<&str>,
        overwrite: bool,
    ) -> Result<Receipt, Refusal> {
        let corrected = corrected.map(|body| (Format::Ndjson, self.ask(body).body));
        self.gate.replay(Replay { caller, aside, corrected, overwrite }).await
    }

    /// So many records with these ids.
    pub async fn rows(&self, ids: std::ops::Range<i64>) -> Result<Receipt, Refusal> {
        self.publish(&lines(ids)).await
    }

    /// A subscription from the start.
    pub fn subscribe(&self, id: SubscriptionId) {
        let mut state = self.store.state.lock();
        let view = view(&state);
        let subscription = Subscription {
            id,
            grant: GrantId(Uuid::from_u128(4)),
            name: "测试".to_owned(),
            deletes: true,
            seek_count: 0,
            view,
            generation: Generation(1),
            position: Vec::new(),
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            acked_at: None,
        };
        state.subscriptions.insert(id, subscription);
    }

    pub fn poll(&self, cursor: Option<&str>) -> Poll {
        Poll {
            caller: consumer(),
            subscription: SUBSCRIPTION,
            purpose: None,
            cursor: cursor.map(str::to_owned),
            limit: None,
            max_bytes: None,
            wait: Duration::ZERO,
        }
    }

    pub async fn read(&self, cursor: Option<&str>) -> Result<Answer, Refusal> {
        whole(self.gate.deliver(self.poll(cursor)).await?).await
    }

    pub async fn acknowledge(&self, answer: &Answer) -> Result<(), Refusal> {
        self.gate
            .acknowledge(Acknowledge {
                caller: consumer(),
                subscription: SUBSCRIPTION,
                next: answer.next.clone(),
                window: answer.window.as_ref().map(|id| id.parse().unwrap()),
                digest: answer.digest.clone(),
            })
            .await
    }

    /// Revokes as the action would: the change commits, then the gate ends what rests on it.
    pub fn revoke_in_store(&self) {
        let mut state = self.store.state.lock();
        let grant = state.grant.as_mut().unwrap();
        (grant.state, grant.cause) = (GrantState::Revoked, Some(Cause::Misuse));
        grant.version += 1;
    }
}

/// A record of the provider's that waits at that offset; everything in the log is newer.
pub fn aside(id: QuarantineId, offset: i64) -> SetAside {
    SetAside {
        id,
        resource: ResourceNumber(1),
        account: provider().account,
        published_at: "1970-01-01T00:00:00Z".parse().unwrap(),
        waiting: true,
        partition: 0,
        offset,
        marked: true,
    }
}

pub fn lines(ids: std::ops::Range<i64>) -> String {
    ids.map(|id| format!("{{\"id\":{id},\"v\":\"v{id}\",\"secret\":\"s{id}\"}}\n")).collect()
}

/// Waits until it holds; a test that waits for what never comes fails.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("it never came to hold");
}

/// Reads an answer to its end.
pub async fn whole(mut delivery: Delivery) -> Result<Answer, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = delivery.next_piece().await {
        let piece = piece?;
        assert!(piece.len() <= 64 << 10, "writes of at most 64 KiB");
        bytes.extend_from_slice(&piece);
    }
    let text = String::from_utf8(bytes).unwrap();
    let (records, last) = text.trim_end().rsplit_once('\n').map_or(("", text.trim_end()), |split| split);
    let last: Value = serde_json::from_str(last).unwrap();
    let sent = if records.is_empty() { String::new() } else { format!("{records}\n") };
    Ok(Answer {
        records: records.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        next: last["next"].as_str().unwrap().to_owned(),
        window: last["window"].as_str().map(str::to_owned),
        digest: last["digest"].as_str().map(str::to_owned),
        received: hex(&Sha256::digest(sent)),
    })
}

pub fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> Code {
    outcome.unwrap_err().code
}
