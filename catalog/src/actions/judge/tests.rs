//! Whoever changes a published entry's items keeps nobody from the store while that is judged, or waits to be.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use chrono::FixedOffset;

use super::*;
use crate::account::Role;
use crate::actions::adopt_schema::adopt_schema;
use crate::actions::registry::put_in_force::carry_over;
use crate::actions::think::{in_line, whole_desk};
use crate::actions::{self, Done, Member, NewAgency, Registering, Rules};
use crate::agency::AgencyNames;
use crate::clock::SeededIds;
use crate::ids::{AccountId, Generation, KeyId};
use crate::registry::{Candidate, Subject};
use crate::resource::ItemType;
use crate::schema::value_schema;
use crate::store::{LockClass, NewKey, ResourceChange, testing};
use crate::testing::{file, item};

/// Scenes are set beside each other, and all have the one desk: whose turn it is goes by the account.
static SCENES: AtomicU64 = AtomicU64::new(7);

/// Rather than the whole run.
async fn soon<T>(waited_for: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), waited_for).await.expect("it waits for ever")
}

struct Scene {
    ids: SeededIds,
    rules: Rules,
    editor: Caller,
    head: Caller,
    entry: Resource,
}

fn key(id: &str) -> NewKey {
    NewKey { id: KeyId(id.to_owned()), mac: vec![1; 32], pepper: "p1".to_owned() }
}

fn caller(member: &Member, account: AccountId, roles: &[Role]) -> Caller {
    let (agency, key) = (member.agency.id, member.key.id.clone());
    Caller { agency, account, key, roles: roles.iter().copied().collect() }
}

impl Scene {
    async fn set(store: &Store) -> Self {
        let ids = SeededIds::new(SCENES.fetch_add(1, Ordering::Relaxed));
        let (now, later) = (Time::default(), "2030-01-01T00:00:00Z".parse().unwrap());
        let rules = Rules {
            four_eyes: true,
            zone: FixedOffset::east_opt(0).unwrap(),
            handle_key: "h1".to_owned(),
            pseudonym_key: "p1".to_owned(),
            topic_prefix: String::new(),
            subscriptions: 3,
        };
        let first = actions::bootstrap(store, now, &ids, &key("auth0001"), later).await.unwrap().unwrap();
        let authority = caller(&first, first.account.id, &[Role::Authority]);
        let act = |caller| Act { caller, now, ids: &ids, rules: &rules, claim: None };
        let names = AgencyNames {
            code: Some("91999999FAKE00013K".to_owned()),
            name: "机构".to_owned(),
            alias: Some("transport-stats".parse().unwrap()),
        };
        let new =
            NewAgency { names, account: "first".to_owned(), key: key("first001"), key_expires_at: later };
        let member = actions::add_agency(store, &act(&authority), new).await.unwrap().object;
        let roles = [Role::Reviewer].into_iter().collect();
        let head =
            actions::add_account(store, &act(&authority), member.agency.id, "head", roles).await.unwrap();
        let editor = caller(&member, member.account.id, &[Role::Editor]);
        let head = caller(&member, head.object.id, &[Role::Reviewer]);
        let mut file = file();
        file.auto_register = true;
        let drafted = actions::draft_resource(store, &act(&editor), file).await.unwrap().object;
        let code = &drafted.code;
        actions::submit_resource(store, &act(&editor), code, None).await.unwrap();
        actions::approve_resource(store, &act(&head), code, None).await.unwrap();
        let entry = actions::publish_resource(store, &act(&head), code, None).await.unwrap().object;
        Self { ids, rules, editor, head, entry }
    }

    fn act<'a>(&'a self, caller: &'a Caller) -> Act<'a> {
        Act { caller, now: Time::default(), ids: &self.ids, rules: &self.rules, claim: None }
    }

    fn wider(&self, name: &str) -> ResourceFile {
        let mut file = self.entry.file.clone();
        file.items.push(Item { nullable: true, ..item(name, ItemType::C) });
        file
    }

    fn text(&self, name: &str) -> String {
        value_schema(self.entry.number, &self.wider(name).items).unwrap()
    }

    async fn propose(&self, store: &Store, file: ResourceFile) -> Result<Resource, Refusal> {
        let version = Some(self.now(store).await.version);
        let act = self.act(&self.editor);
        let done = actions::update_resource(store, &act, &self.entry.code, version, file).await?;
        Ok(done.object)
    }

    async fn revise(&self, store: &Store) -> Result<Resource, Refusal> {
        let version = Some(self.now(store).await.version);
        let act = self.act(&self.head);
        Ok(actions::revise_resource(store, &act, &self.entry.code, version, None).await?.object)
    }

    async fn adopt(&self, store: &Store, text: &str) -> Result<Done<Resource>, Refusal> {
        let of = (&self.entry.code, self.entry.generation);
        adopt_schema(store, &self.act(&self.head), of, (text, &Work::default())).await
    }

    async fn check(&self, store: &Store, file: ResourceFile) -> Result<Judged, Refusal> {
        let (proposed, now) = (Proposed::File(Box::new(file)), Time::default());
        check_schema(store, &self.editor, self.entry.number, proposed, now).await
    }

    /// What nobody else may do meanwhile, as those who change the entry hold it.
    async fn hold(&self, store: &Store) -> Tx {
        let mut tx = soon(store.begin()).await.unwrap();
        soon(tx.lock_exclusive(LockClass::Topic, self.entry.number)).await.unwrap();
        tx
    }

    /// The entry gets another summary, for which nobody needs to think.
    async fn say(&self, mut tx: Tx, summary: &str) {
        let mut entry = tx.resource_to_change(self.entry.number).await.unwrap().unwrap();
        entry.version += 1;
        entry.file.summary = summary.to_owned();
        let change = ResourceChange { action: "revise", by: self.head.account, at: Time::default() };
        tx.update_resource(&entry, change).await.unwrap();
        tx.finish().await.unwrap();
    }

    /// The entry gets a new generation, as far as its subjects go.
    async fn move_on(&self, mut tx: Tx) -> Resource {
        let mut entry = tx.resource_to_change(self.entry.number).await.unwrap().unwrap();
        let from = entry.generation;
        entry.version += 1;
        entry.generation = Generation(from.0 + 1);
        carry_over(&mut tx, &self.act(&self.head), &entry, from).await.unwrap();
        let change = ResourceChange { action: "new_generation", by: self.head.account, at: Time::default() };
        tx.update_resource(&entry, change).await.unwrap();
        tx.finish().await.unwrap();
        entry
    }

    async fn now(&self, store: &Store) -> Resource {
        store.read().await.unwrap().resource(self.entry.number).await.unwrap().unwrap()
    }
}

/// Goes on with what is asked until it waits for its turn.
async fn until_it_waits<T>(mut asked: Pin<&mut impl Future<Output = T>>, account: AccountId) {
    until(asked.as_mut(), || in_line(account)).await;
}

/// Goes on with what is asked until something is so, which it is before it is done.
async fn until<T>(mut asked: Pin<&mut impl Future<Output = T>>, so: impl Fn() -> bool) {
    soon(async {
        while !so() {
            tokio::select! {
                biased;
                _ = asked.as_mut() => panic!("it is done"),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
}

/// What is asked waits for its turn, and meanwhile others have every connection, and the one that writes.
async fn in_its_turn<T>(
    (store, connections): (&Store, u32),
    account: AccountId,
    asked: impl Future<Output = Result<T, Refusal>>,
) -> T {
    let mut asked = pin!(asked);
    let desk = soon(whole_desk()).await;
    until_it_waits(asked.as_mut(), account).await;
    let others = async {
        let mut held = Vec::new();
        for _ in 0..connections {
            held.push(store.read().await.unwrap());
        }
        drop(held);
        drop(store.begin().await.unwrap());
    };
    tokio::select! {
        biased;
        _ = asked.as_mut() => panic!("it was not its turn"),
        () = soon(others) => {}
    }
    drop(desk);
    soon(asked).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_change_breaks_is_judged_in_turn_with_no_connection_held() {
    let fresh = testing::sqlite().await;
    let store = &fresh.store;
    let scene = Scene::set(store).await;
    let (all, editor, head) = ((store, fresh.config.connections), scene.editor.account, scene.head.account);
    let judged = in_its_turn(all, editor, scene.check(store, scene.wider("gate"))).await;
    assert!(!judged.breaks() && judged.verdict.new_schema);
    let proposed = in_its_turn(all, editor, scene.propose(store, scene.wider("gate"))).await;
    assert!(proposed.proposal.is_some());
    let revised = in_its_turn(all, head, scene.revise(store)).await;
    assert_eq!(revised.file, scene.wider("gate"));
    let adopted = in_its_turn(all, head, scene.adopt(store, &scene.text("gate"))).await;
    assert!(adopted.replayed, "it is in force");
    let adopted = in_its_turn(all, head, scene.adopt(store, &scene.text("stand"))).await;
    assert_eq!(adopted.object.file.items, scene.wider("stand").items);
    fresh.done().await;
}

/// What it is judged against is not in memory before: it is what is there when its turn comes.
async fn what_waits_for_its_turn_holds_nothing_that_it_is_judged_by(store: &Store) {
    let scene = Scene::set(store).await;
    let mut asked = pin!(scene.check(store, scene.wider("gate")));
    let desk = soon(whole_desk()).await;
    until_it_waits(asked.as_mut(), scene.editor.account).await;
    scene.say(scene.hold(store).await, "其他说明").await;
    drop(desk);
    let judged = soon(asked).await.unwrap();
    assert_eq!(judged.footing.version, scene.now(store).await.version);
}

/// The entry gets another summary between the judgement and its lock, and again while the next look stands in line.
async fn what_changed_meanwhile_is_judged_under_the_lock(store: &Store) {
    let scene = Scene::set(store).await;
    let (text, account) = (scene.text("gate"), scene.head.account);
    let mut adopted = pin!(scene.adopt(store, &text));
    let desk = soon(whole_desk()).await;
    until_it_waits(adopted.as_mut(), account).await;
    let held = scene.hold(store).await;
    drop(desk);
    until(adopted.as_mut(), || !in_line(account)).await;
    let desk = soon(whole_desk()).await;
    scene.say(held, "其他说明").await;
    until_it_waits(adopted.as_mut(), account).await;
    scene.say(scene.hold(store).await, "又一说明").await;
    drop(desk);
    let file = soon(adopted).await.unwrap().object.file;
    assert_eq!((file.summary, file.items), ("又一说明".to_owned(), scene.wider("gate").items));
}

/// At whatever point of reading it somebody else changes the entry.
async fn what_a_judgement_rests_on_is_of_one_version(store: &Store) {
    let scene = Scene::set(store).await;
    let mut session = store.read().await.unwrap();
    for polls in 0.. {
        let mut read = pin!(session.ground(scene.entry.number, Time::default()));
        let mut polled = 0;
        let early = poll_fn(|cx| {
            if polled == polls {
                return Poll::Ready(None);
            }
            polled += 1;
            read.as_mut().poll(cx).map(Some)
        });
        let early = soon(early).await;
        scene.say(scene.hold(store).await, &format!("说明{polls}")).await;
        let done = early.is_some();
        let ground = match early {
            Some(ground) => ground,
            None => soon(read).await,
        };
        let ground = ground.unwrap().unwrap();
        assert_eq!(ground.entry.version, ground.footing().version, "{polls}");
        if done {
            return;
        }
    }
}

/// Between the look at the subject that it is brought to and the judgement the resource moves on.
async fn what_is_brought_to_a_generation_counts_in_no_other(store: &Store) {
    let scene = Scene::set(store).await;
    let (text, account) = (scene.text("gate"), scene.head.account);
    let mut adopted = pin!(scene.adopt(store, &text));
    let desk = soon(whole_desk()).await;
    until_it_waits(adopted.as_mut(), account).await;
    let moved = scene.move_on(scene.hold(store).await).await;
    drop(desk);
    assert_eq!(soon(adopted).await.unwrap_err().code, Code::InvalidState);
    let now = scene.now(store).await;
    assert_eq!((now.version, now.schema), (moved.version, scene.entry.schema), "nothing was revised");
    let (act, candidate) =
        (scene.act(&scene.head), Candidate { schema: text.clone(), ..Candidate::default() });
    let register = async |subject: &str| {
        let (subject, how) = (Subject::read(subject), Registering::default());
        let registered = actions::register_schema(store, &act, &subject, &candidate, how).await;
        registered.map(|one| one.version).map_err(|wrong| wrong.error_code())
    };
    let number = scene.entry.number;
    assert_eq!(register(&format!("ct.r.{number}-value")).await, Err(42205));
    assert_eq!(register(&format!("ct.r.{number}.2-value")).await, Ok(2), "where it counts it is taken");
}

crate::conformance!(
    what_is_brought_to_a_generation_counts_in_no_other,
    what_waits_for_its_turn_holds_nothing_that_it_is_judged_by,
    what_changed_meanwhile_is_judged_under_the_lock,
    what_a_judgement_rests_on_is_of_one_version,
);
