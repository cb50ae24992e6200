//! Whoever changes a published entry's items keeps nobody from the store while that is judged, or waits to be.

use std::pin::{Pin, pin};

use chrono::FixedOffset;

use super::*;
use crate::account::Role;
use crate::actions::adopt_schema::adopt_schema;
use crate::actions::think::{in_line, whole_desk};
use crate::actions::{self, Done, Member, NewAgency, Rules};
use crate::agency::AgencyNames;
use crate::clock::SeededIds;
use crate::ids::{AccountId, KeyId};
use crate::resource::ItemType;
use crate::schema::value_schema;
use crate::store::{NewKey, testing};
use crate::testing::{file, item};

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
        let (ids, now, later) = (SeededIds::new(7), Time::default(), "2030-01-01T00:00:00Z".parse().unwrap());
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
        adopt_schema(store, &self.act(&self.head), &self.entry.code, (text, &Work::default())).await
    }

    async fn check(&self, store: &Store, file: ResourceFile) -> Result<Judged, Refusal> {
        let (proposed, now) = (Proposed::File(Box::new(file)), Time::default());
        check_schema(store, &self.editor, &self.now(store).await, proposed, now).await
    }

    async fn now(&self, store: &Store) -> Resource {
        store.read().await.unwrap().resource(self.entry.number).await.unwrap().unwrap()
    }
}

/// Goes on with what is asked until it waits for its turn.
async fn until_it_waits<T>(mut asked: Pin<&mut impl Future<Output = T>>, account: AccountId) {
    while !in_line(account) {
        tokio::select! {
            biased;
            _ = asked.as_mut() => panic!("it was not its turn"),
            () = tokio::task::yield_now() => {}
        }
    }
}

/// What is asked waits for its turn, and meanwhile others have every connection, and the one that writes.
async fn in_its_turn<T>(
    (store, connections): (&Store, u32),
    account: AccountId,
    asked: impl Future<Output = Result<T, Refusal>>,
) -> T {
    let mut asked = pin!(asked);
    let desk = whole_desk().await;
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
        () = others => {}
    }
    drop(desk);
    asked.await.unwrap()
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

/// The entry gets another summary, for which nobody needs to think, while what is adopted waits.
async fn what_changed_meanwhile_is_judged_again_in_turn(store: &Store) {
    let scene = Scene::set(store).await;
    let (text, account) = (scene.text("gate"), scene.head.account);
    let mut adopted = pin!(scene.adopt(store, &text));
    let desk = whole_desk().await;
    until_it_waits(adopted.as_mut(), account).await;
    let summary = "其他说明".to_owned();
    scene
        .propose(store, ResourceFile { summary: summary.clone(), ..scene.entry.file.clone() })
        .await
        .unwrap();
    scene.revise(store).await.unwrap();
    // The next in line for the whole desk, behind what is judged now.
    let mut again = pin!(whole_desk());
    tokio::select! {
        biased;
        _ = again.as_mut() => panic!("it is taken"),
        () = std::future::ready(()) => {}
    }
    drop(desk);
    let desk = tokio::select! {
        biased;
        _ = adopted.as_mut() => panic!("it was judged under the lock"),
        desk = again => desk,
    };
    while in_line(account) {
        tokio::task::yield_now().await;
    }
    until_it_waits(adopted.as_mut(), account).await;
    drop(desk);
    let file = adopted.await.unwrap().object.file;
    assert_eq!((file.summary, file.items), (summary, scene.wider("gate").items));
}

crate::conformance!(what_changed_meanwhile_is_judged_again_in_turn);
