//! A store older than its log: what an operator's decision takes, gives up and names (protocol.md 4).

use changtong_catalog::audit::{Actor, Batch, Build, Digest, Event, Published};
use changtong_catalog::clock::SeededIds;
use changtong_catalog::conformance;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{BatchId, EventId, Generation, ResourceNumber, SchemaId, TopicName};
use changtong_catalog::ports::{Directory, Ledger, Topic};
use changtong_catalog::store::{
    Decided, Decision, Exported, Lease, LogHolds, Store, StoreLedger, read_exported,
};
use changtong_catalog::visibility::PartitionView;

use super::fixture::{Fixture, VALUE_SCHEMA, at, catalog, id};
use super::ledger::world::{World, run, world};

const FIRST: Generation = Generation(1);
const SECOND: Generation = Generation(2);

/// A published entry that nothing was ever published to, as far as the store knows.
struct Stage {
    store: Store,
    fixture: Fixture,
    ids: SeededIds,
}

impl Stage {
    async fn set(store: &Store) -> Self {
        Self { store: store.clone(), fixture: catalog(store).await, ids: SeededIds::new(9) }
    }

    fn number(&self) -> ResourceNumber {
        self.fixture.resource.number
    }

    async fn lease(&self) -> Lease {
        self.store.take_server(id(0xF00), Build("0.1.0"), at(1000), &self.ids).await.unwrap()
    }

    async fn decide(
        &self,
        held: &[(ResourceNumber, Generation, i64)],
        events: &[Exported],
        declare_dead: bool,
    ) -> Result<Decided, Refusal> {
        let topics =
            held.iter().map(|(number, generation, end)| ((*number, *generation), vec![(0, *end); 3]));
        let holds = LogHolds { prefix: "t.".to_owned(), topics: topics.collect(), schema: None };
        let decision = Decision { holds: &holds, events, declare_dead, noted_epoch: 0 };
        self.store.decide(&decision, self.lease().await, at(1000), &self.ids).await
    }

    /// The event of a publish, as an export holds it.
    fn published(&self, event: u128, schema: SchemaId, first: i64, last: i64) -> Vec<Exported> {
        exported(&self.fixture, event, (schema, in_force()), FIRST, first, last)
    }

    async fn views(&self) -> Vec<PartitionView> {
        let ledger = StoreLedger::new(
            self.store.clone(),
            std::sync::Arc::new(changtong_catalog::clock::ManualClock::at(at(1000))),
            std::sync::Arc::new(SeededIds::new(3)),
            self.lease().await.epoch,
        );
        ledger.views(self.number(), FIRST).await.unwrap()
    }

    async fn topic(&self) -> Option<Topic> {
        self.store.resource_by_number(self.number()).await.unwrap().unwrap().topic
    }
}

fn in_force() -> Digest {
    Digest::of(VALUE_SCHEMA.as_bytes())
}

fn exported(
    fixture: &Fixture,
    event: u128,
    (schema, fingerprint): (SchemaId, Digest),
    generation: Generation,
    first: i64,
    last: i64,
) -> Vec<Exported> {
    let batch = |partition| Batch {
        id: BatchId(id(event * 16 + u128::from(partition))),
        runs: vec![run(i32::from(partition), first, last)],
        n: last - first + 1,
    };
    let what = Published {
        resource: fixture.resource.number,
        generation,
        schema,
        fingerprint,
        batches: [0_u8, 1, 2].map(batch).to_vec(),
        policy: 1,
    };
    let event = Event::new(EventId(id(event)), at(900), Actor::from(&fixture.provider), what);
    read_exported(&event.encode().unwrap().body).unwrap()
}

async fn topics_of_generations_unknown_are_named_and_decided(store: &Store) {
    let stage = Stage::set(store).await;
    let (number, strange) = (stage.number(), ResourceNumber(99));
    let held = [(number, SECOND, 5), (strange, FIRST, 7)];
    let undecided = stage.decide(&held, &[], false).await.unwrap_err();
    assert_eq!((undecided.code, &undecided.extra["undecided"]), (Code::StoreOlderThanLog, &36.into()));
    let named = format!("t.ct.r.{number}.2: 15, t.ct.r.99: 21");
    assert!(undecided.text.en.contains(&named) && undecided.text.zh.contains(&named), "{undecided}");

    // What events say of them is not adopted, and does not decide them either.
    let events =
        exported(&stage.fixture, 1, (stage.fixture.resource.schema.unwrap(), in_force()), SECOND, 0, 4);
    assert_eq!(stage.decide(&held, &events, false).await.unwrap_err().code, Code::StoreOlderThanLog);
    let done = stage.decide(&held, &events, true).await.unwrap();
    assert_eq!((done.dead, done.elsewhere, done.events), (36, 1, 0));
    assert_eq!(done.given_up.values().copied().collect::<Vec<_>>(), [15, 21]);
    // Nothing is ever copied into what was given up, and it is not asked about again.
    let known = store.generations(number).await.unwrap();
    assert!(known.iter().any(|it| it.topic.generation == SECOND && it.ends.is_some()), "{known:?}");
    assert_eq!(stage.decide(&held, &events, false).await.unwrap().dead, 0);
}

async fn a_copy_that_was_cut_off_is_given_up_too(store: &Store) {
    let world = world(store).await;
    let name = TopicName::records("t.", world.number(), SECOND);
    let copy = Topic { name, generation: SECOND, made: false, ..world.topic.clone() };
    world.ledger.want_topic(&copy).await.unwrap();
    let stage = Stage { store: store.clone(), fixture: world.fixture, ids: SeededIds::new(9) };
    let held = [(stage.number(), SECOND, 5)];
    assert_eq!(stage.decide(&held, &[], false).await.unwrap_err().code, Code::StoreOlderThanLog);
    assert_eq!(stage.decide(&held, &[], true).await.unwrap().dead, 15);
    let known = store.generations(stage.number()).await.unwrap();
    assert!(known.iter().any(|it| it.topic.generation == SECOND && it.ends.is_some()), "{known:?}");
    assert_eq!(stage.decide(&held, &[], false).await.unwrap().dead, 0);
}

async fn a_topic_first_published_to_after_the_backup_can_be_published_to(store: &Store) {
    let stage = Stage::set(store).await;
    let held = [(stage.number(), FIRST, 4)];
    assert_eq!(stage.decide(&held, &[], false).await.unwrap_err().code, Code::StoreOlderThanLog);
    assert_eq!(stage.topic().await, None, "nothing was changed");
    assert_eq!(stage.decide(&held, &[], true).await.unwrap().dead, 12);
    let topic = stage.topic().await.unwrap();
    assert_eq!((topic.name.as_str(), topic.partitions, topic.made), ("t.ct.r.1", 3, true));
    let views = stage.views().await;
    assert_eq!(views.len(), 3);
    assert!(views.iter().all(|view| view.stable_end() == 4 && view.counting(0, 4).is_empty()), "{views:?}");
}

async fn publishes_are_adopted_without_the_event_of_their_topic(store: &Store) {
    let stage = Stage::set(store).await;
    let events = stage.published(1, stage.fixture.resource.schema.unwrap(), 0, 3);
    let held = [(stage.number(), FIRST, 4)];
    let done = stage.decide(&held, &events, false).await.unwrap();
    assert_eq!((done.events, done.records, done.dead), (1, 12, 0));
    assert!(stage.topic().await.unwrap().made);
    let whole = 0..4;
    assert!(stage.views().await.iter().all(|view| view.counting(0, 9).iter().eq([&whole])));
}

async fn a_topic_wanted_before_and_made_after_the_backup_is_made(store: &Store) {
    let stage = Stage::set(store).await;
    let lease = stage.lease().await;
    let ledger = StoreLedger::new(
        store.clone(),
        std::sync::Arc::new(changtong_catalog::clock::ManualClock::at(at(1000))),
        std::sync::Arc::new(SeededIds::new(3)),
        lease.epoch,
    );
    let name = TopicName::records("t.", stage.number(), FIRST);
    let wanted = Topic { name, resource: stage.number(), generation: FIRST, partitions: 3, made: false };
    ledger.want_topic(&wanted).await.unwrap();
    stage.decide(&[(stage.number(), FIRST, 4)], &[], true).await.unwrap();
    assert!(stage.topic().await.unwrap().made);
}

async fn records_under_a_schema_unknown_are_not_brought_back(store: &Store) {
    let stage = Stage::set(store).await;
    let held = [(stage.number(), FIRST, 4)];
    // The id is another schema's by now.
    let schema = (stage.fixture.resource.schema.unwrap(), Digest::of(b"another"));
    let events = exported(&stage.fixture, 1, schema, FIRST, 0, 3);
    assert_eq!(stage.decide(&held, &events, false).await.unwrap_err().code, Code::StoreOlderThanLog);
    let events = stage.published(1, SchemaId(77), 0, 3);
    assert_eq!(stage.decide(&held, &events, false).await.unwrap_err().code, Code::StoreOlderThanLog);
    let done = stage.decide(&held, &events, true).await.unwrap();
    assert_eq!((done.events, done.elsewhere, done.dead), (0, 1, 12));
}

async fn who_may_publish_twice_is_named(store: &Store) {
    let World { fixture, .. } = {
        let world = world(store).await;
        world.publish(vec![world.sourced("-", "p1", &[run(0, 0, 3), run(1, 0, 3), run(2, 0, 3)])]).await;
        world
    };
    let schema = fixture.resource.schema.unwrap();
    let stage = Stage { store: store.clone(), fixture, ids: SeededIds::new(9) };
    let events = stage.published(1, schema, 4, 5);
    let done = stage.decide(&[(stage.number(), FIRST, 6)], &events, false).await.unwrap();
    let [repeatable] = done.repeatable.as_slice() else { panic!("{done:?}") };
    assert_eq!(repeatable.resource, stage.fixture.resource.code);
    assert_eq!(repeatable.account, Some(stage.fixture.provider.account));
    assert_eq!((repeatable.batches, repeatable.records), (3, 6));
    assert_eq!(repeatable.sources, [("files".to_owned(), "p1".to_owned())]);
}

conformance!(
    topics_of_generations_unknown_are_named_and_decided,
    a_copy_that_was_cut_off_is_given_up_too,
    a_topic_first_published_to_after_the_backup_can_be_published_to,
    publishes_are_adopted_without_the_event_of_their_topic,
    a_topic_wanted_before_and_made_after_the_backup_is_made,
    records_under_a_schema_unknown_are_not_brought_back,
    who_may_publish_twice_is_named,
);
