//! A catalog with a topic and a server in force, and short ways to make members of groups.

use std::sync::Arc;

use changtong_catalog::account::Caller;
use changtong_catalog::audit::{Build, EventCode};
use changtong_catalog::clock::{Clock, Ids, ManualClock, SeededIds};
use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Subscription;
use changtong_catalog::ids::{
    BatchId, Generation, QuarantineId, ResourceNumber, SubscriptionId, TopicName, WindowId,
};
use changtong_catalog::ports::{
    Ack, Answers, Attempt, Claim, CloseReason, Closing, Group, Ledger, Opening, QuarantinedRecord, Receipt,
    Settling, SourceStep, Topic,
};
use changtong_catalog::store::{EventFilter, Lease, Store, StoreLedger, StoredEvent};
use changtong_catalog::visibility::{PartitionView, Run};
use serde_json::Value;

use crate::fixture::{Fixture, at, catalog, id};

pub const PARTITIONS: i32 = 3;

pub struct World {
    pub store: Store,
    pub fixture: Fixture,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<SeededIds>,
    pub lease: Lease,
    pub ledger: StoreLedger,
    pub topic: Topic,
}

pub async fn world(store: &Store) -> World {
    let mut fixture = catalog(store).await;
    let started = Subscription {
        id: SubscriptionId(id(0x5FF)),
        name: "start".to_owned(),
        view: 7,
        generation: Generation(1),
        position: vec![0, 0, 0],
        ..fixture.subscription
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_subscription(&started).await.unwrap();
    tx.finish().await.unwrap();
    fixture.subscription = started;
    let clock = Arc::new(ManualClock::at(at(1000)));
    let ids = Arc::new(SeededIds::new(42));
    let lease = store.take_server(id(0xF00), Build("0.1.0"), clock.now(), &*ids).await.unwrap();
    let ledger = StoreLedger::new(store.clone(), clock.clone(), ids.clone(), lease.epoch);
    let (resource, generation) = (fixture.resource.number, fixture.resource.generation);
    let topic = Topic {
        name: TopicName::records("", resource, generation),
        resource,
        generation,
        partitions: PARTITIONS,
        made: false,
    };
    let topic = ledger.want_topic(&topic).await.unwrap();
    ledger.topic_made(&topic).await.unwrap();
    World { store: store.clone(), fixture, clock, ids, lease, ledger, topic }
}

pub fn run(partition: i32, first: i64, last: i64) -> Run {
    Run { partition, first, last }
}

impl World {
    pub fn number(&self) -> ResourceNumber {
        self.fixture.resource.number
    }

    pub fn attempt(&self, runs: &[Run]) -> Attempt {
        Attempt {
            batch: BatchId(self.ids.uuid(self.clock.now())),
            caller: self.fixture.provider.clone(),
            resource: self.number(),
            generation: Generation(1),
            schema: self.fixture.resource.schema.unwrap(),
            fingerprint: "ab".repeat(32),
            accepted: runs.iter().map(|run| run.last - run.first + 1).sum(),
            bytes: 100,
            runs: runs.to_vec(),
            quarantined: Vec::new(),
            claim: None,
            source: None,
            replays: None,
        }
    }

    pub fn claimed(&self, key: &str, hash: u8, runs: &[Run]) -> Attempt {
        let claim = Claim {
            account: self.fixture.provider.account,
            action: "publish".to_owned(),
            object: self.number().to_string(),
            key: key.to_owned(),
            hash: [hash; 16],
        };
        Attempt { claim: Some(claim), ..self.attempt(runs) }
    }

    pub fn sourced(&self, from: &str, to: &str, runs: &[Run]) -> Attempt {
        let step = SourceStep { connector: "files".to_owned(), from: from.to_owned(), to: to.to_owned() };
        Attempt { source: Some(step), ..self.attempt(runs) }
    }

    pub fn rejected(&self, path: &str) -> QuarantinedRecord {
        QuarantinedRecord {
            id: QuarantineId(self.ids.uuid(self.clock.now())),
            partition: 0,
            offset: 4,
            code: Code::RecordsInvalid,
            path: path.to_owned(),
            reason_zh: "应为整数".to_owned(),
            reason_en: "not an integer".to_owned(),
        }
    }

    pub async fn publish(&self, attempts: Vec<Attempt>) -> Vec<Result<Receipt, Refusal>> {
        self.commit(Group { attempts, ..Group::default() }).await.attempts
    }

    pub async fn commit(&self, group: Group) -> Answers {
        self.ledger.commit(&group).await.unwrap()
    }

    pub async fn views(&self) -> Vec<PartitionView> {
        self.ledger.views(self.number(), Generation(1)).await.unwrap()
    }

    pub async fn settle(&self, noted_ends: [i64; 3], first_kept: [i64; 3]) -> Vec<PartitionView> {
        let settling = Settling {
            topic: self.topic.clone(),
            noted_ends: noted_ends.to_vec(),
            first_kept: first_kept.to_vec(),
        };
        self.ledger.settle(&settling, &[]).await.unwrap()
    }

    /// Visible offsets of a partition up to the stable end.
    pub async fn visible(&self, partition: usize) -> Vec<i64> {
        let view = self.views().await.swap_remove(partition);
        view.visible(0, i64::MAX).flatten().collect()
    }

    pub async fn events(&self, code: EventCode) -> Vec<Value> {
        let filter = EventFilter { code: Some(code), ..EventFilter::default() };
        let mut session = self.store.read().await.unwrap();
        let stored = session.events(&filter, None, 1000).await.unwrap();
        stored.iter().map(|event: &StoredEvent| serde_json::from_slice(&event.body).unwrap()).collect()
    }

    pub fn opening(&self, most: i64) -> Opening {
        let now = self.clock.now();
        Opening {
            window: WindowId(self.ids.uuid(now)),
            caller: self.fixture.consumer.clone(),
            subscription: self.fixture.subscription.id,
            grant: self.fixture.grant.id,
            grant_version: self.fixture.grant.version,
            resource: self.number(),
            provider: self.fixture.provider.agency,
            generation: Generation(1),
            purpose: self.fixture.grant.purposes[0].code.clone(),
            from: vec![0, 0, 0],
            until: now + chrono::Duration::seconds(1),
            most,
            calls_per_day: None,
            records_per_day: None,
            counts: true,
            readers: 1,
            day: now.date_naive(),
            resets_at: at(86_400),
        }
    }

    pub fn closing(&self, window: WindowId, sent: i64, let_out: [i64; 3]) -> Closing {
        Closing {
            window,
            reason: CloseReason::Time,
            through: let_out.to_vec(),
            let_out: let_out.to_vec(),
            sent,
            passed_over: 0,
            bytes: 10 * sent,
            digest: "cd".repeat(32),
            further_calls: 0,
        }
    }

    pub fn cursor(&self, view: i64, seek_count: i32, next: [i64; 3]) -> Cursor {
        let subscription = self.fixture.subscription.id;
        Cursor { subscription, view, generation: Generation(1), seek_count, next: next.to_vec() }
    }

    /// An acknowledgement in the view that the subscription stands in.
    pub fn ack(&self, next: [i64; 3]) -> Ack {
        let subscription = &self.fixture.subscription;
        let cursor = self.cursor(subscription.view, subscription.seek_count, next);
        let view = subscription.view;
        Ack { caller: self.fixture.consumer.clone(), cursor, view, window: None, digest: None }
    }

    pub async fn open(&self, opening: Opening) -> Result<changtong_catalog::ports::Opened, Refusal> {
        let mut answers = self.commit(Group { openings: vec![opening], ..Group::default() }).await;
        answers.openings.remove(0)
    }

    pub async fn close(&self, closing: Closing) {
        self.commit(Group { closings: vec![closing], ..Group::default() }).await;
    }
}

pub fn code<T>(answer: &Result<T, Refusal>) -> Option<Code> {
    answer.as_ref().err().map(|refusal| refusal.code)
}

pub fn other(caller: &Caller, account: u128) -> Caller {
    Caller { account: changtong_catalog::ids::AccountId(id(account)), ..caller.clone() }
}
