//! Schemas that change: what is put in force, what is refused and for whom, and what a grant holds.

mod names;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{self, Act, Against, Proposed, Registering};
use changtong_catalog::conformance;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Cause, Grant};
use changtong_catalog::ids::{GrantId, RequestId, TopicName};
use changtong_catalog::mask::Mask;
use changtong_catalog::ports::{Directory, SchemaVersion};
use changtong_catalog::registry::{Candidate, Part, Subject};
use changtong_catalog::request::Agreement;
use changtong_catalog::resource::{Item, ItemType, Resource, ShareType};
use changtong_catalog::store::Store;

use super::{Office, Stage, at};

/// Provider, consumer, a published resource, and the grant on it that its standing consent made.
struct Scene<'a> {
    stage: Stage<'a>,
    provider: Office,
    consumer: Office,
    resource: Resource,
    grant: Grant,
}

impl<'a> Scene<'a> {
    async fn set(store: &'a Store) -> Self {
        let stage = Stage::set(store).await;
        let (provider, consumer) = (stage.provider().await, stage.consumer().await);
        let resource = stage.published(&provider, ShareType::Unconditional).await;
        let asked = stage.submitted(&consumer, &resource).await;
        let grant = store.read().await.unwrap().grant(asked.grant.unwrap()).await.unwrap().unwrap();
        Self { stage, provider, consumer, resource, grant }
    }

    /// Revises the resource as it is now.
    async fn revise(&self, change: impl FnOnce(&mut Vec<Item>)) -> Result<Resource, Refusal> {
        let now = self.now().await;
        let mut file = now.file.clone();
        change(&mut file.items);
        self.stage.revised(&self.provider, &now, file, 40).await
    }

    async fn now(&self) -> Resource {
        let mut session = self.stage.store.read().await.unwrap();
        session.resource(self.resource.number).await.unwrap().unwrap()
    }

    async fn granted(&self) -> Grant {
        self.stage.store.read().await.unwrap().grant(self.grant.id).await.unwrap().unwrap()
    }

    async fn versions(&self) -> Vec<SchemaVersion> {
        let standing = Directory::resource_by_number(self.stage.store, self.resource.number).await;
        standing.unwrap().unwrap().versions.to_vec()
    }
}

fn gate(kind: ItemType) -> Item {
    Item {
        name: "gate".to_owned(),
        title: "登机口".to_owned(),
        kind,
        nullable: true,
        grade: 2,
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

async fn a_compatible_revision_puts_a_new_schema_in_force(store: &Store) {
    let scene = Scene::set(store).await;
    let revised = scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap();
    assert_ne!(revised.schema, scene.resource.schema);
    assert_eq!(revised.key_schema, scene.resource.key_schema, "the key's text stays for the generation");
    let versions = scene.versions().await;
    let items = |version: &SchemaVersion| version.items.len();
    assert_eq!(versions.iter().map(items).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        versions.iter().map(|version| Some(version.schema.id)).collect::<Vec<_>>(),
        [scene.resource.schema, revised.schema]
    );
    assert!(versions[1].schema.text.contains("\"gate\""));
    assert_eq!(versions[1].items, revised.file.items);
    assert_eq!(scene.granted().await, scene.grant, "a grant keeps its terms and what it holds");
    let mut events = scene.stage.events_from(40).await;
    events.sort();
    assert_eq!(
        events,
        [
            "resource.proposal_approved",
            "resource.proposed",
            "resource.revised",
            "resource.schema_put_in_force"
        ]
    );
}

async fn what_the_schema_does_not_show_makes_no_version(store: &Store) {
    let scene = Scene::set(store).await;
    let revised = scene.revise(|items| items[0].length = Some(3)).await.unwrap();
    assert_eq!(revised.schema, scene.resource.schema);
    let versions = scene.versions().await;
    assert_eq!(
        (versions.len(), versions[0].items[0].length),
        (1, Some(3)),
        "what is in force is the entry's"
    );
    let mut events = scene.stage.events_from(40).await;
    events.sort();
    assert_eq!(events, ["resource.proposal_approved", "resource.proposed", "resource.revised"]);
}

async fn a_breaking_revision_changes_nothing(store: &Store) {
    let scene = Scene::set(store).await;
    type Change = fn(&mut Vec<Item>);
    let changes: [(&str, Change); 3] = [
        ("dep_delay", |items| items[1].kind = ItemType::C),
        ("gate", |items| items.push(Item { nullable: false, ..gate(ItemType::C) })),
        ("pilot", |items| items[2].mask = None),
    ];
    for (path, change) in changes {
        let refused = scene.revise(change).await.unwrap_err();
        assert_eq!((refused.code, &refused.extra["path"]), (Code::SchemaIncompatible, &path.into()));
    }
    let key = scene.revise(|items| items[0].kind = ItemType::I).await.unwrap_err();
    assert_eq!((key.code, &key.extra["path"]), (Code::Invalid, &"key".into()));
    assert_eq!(scene.now().await, scene.resource);
    assert_eq!((scene.versions().await.len(), scene.stage.events_from(40).await.len()), (1, 0));
}

async fn a_version_counts_for_good_and_may_come_again(store: &Store) {
    let scene = Scene::set(store).await;
    let with = scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap();
    let without = scene.revise(|items| drop(items.pop())).await.unwrap();
    assert_eq!(without.schema, scene.resource.schema, "the same text has the same id");
    let refused = scene.revise(|items| items.push(gate(ItemType::L))).await.unwrap_err();
    assert_eq!(refused.code, Code::SchemaIncompatible);
    assert_eq!(refused.extra["differences"][0]["version"], 2, "records of the second are still there");
    let again = scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap();
    assert_eq!(again.schema, with.schema);
    let ids = [scene.resource.schema, with.schema].map(Option::unwrap);
    let versions = scene.versions().await;
    let found: Vec<_> = versions.iter().map(|version| (version.version, version.schema.id)).collect();
    assert_eq!(found, [(1, ids[0]), (2, ids[1]), (3, ids[0]), (4, ids[1])]);
}

async fn a_mask_added_later_still_holds_when_its_item_comes_again(store: &Store) {
    let scene = Scene::set(store).await;
    scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap();
    let masked = Item { mask: Some(Mask::Blank), ..gate(ItemType::C) };
    scene.revise(|items| items[3] = masked.clone()).await.unwrap();
    assert_eq!(scene.versions().await.len(), 2, "the schema does not show it");
    scene.revise(|items| drop(items.pop())).await.unwrap();
    assert_eq!(scene.versions().await[1].items[3], masked, "a version's items are the last it had");
    let refused = scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap_err();
    assert_eq!(refused.extra["differences"][0]["reason"], "mask_removed");
    scene.revise(|items| items.push(masked)).await.unwrap();
}

async fn whoever_adds_an_item_consents_to_sharing_it(store: &Store) {
    let scene = Scene::set(store).await;
    let consent = async || {
        let mut session = store.read().await.unwrap();
        session.standing_consent(scene.resource.number).await.unwrap().unwrap()
    };
    let before = consent().await;
    scene.revise(|items| items[0].title = "承运人".to_owned()).await.unwrap();
    assert_eq!(consent().await, before, "no more is shared");
    scene.revise(|items| items.push(gate(ItemType::C))).await.unwrap();
    let after = consent().await;
    assert_eq!((after.by, after.at > before.at), (scene.provider.head.account, true));
}

async fn whoever_filters_by_an_item_keeps_it(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let asked = stage.submitted(&consumer, &resource).await;
    let filter = Agreement { filter: Some("dep_delay > 15".to_owned()), ..Agreement::default() };
    let agreed = agree(&stage, &provider, asked.id, &filter).await;
    let mut file = resource.file.clone();
    file.items.remove(1);
    let act = stage.act(&provider.head, 40);
    let refused = stage.revised(&provider, &resource, file.clone(), 40).await.unwrap_err();
    assert_eq!((refused.code, &refused.extra["path"]), (Code::SchemaIncompatible, &"provider_filter".into()));
    assert_eq!(refused.extra["differences"][0]["grant"], agreed.to_string());
    let proposed = Proposed::File(Box::new(file.clone()));
    let judged = actions::check_schema(store, act.caller, resource.number, proposed, act.now).await.unwrap();
    assert_eq!((judged.verdict.breaks.len(), judged.grants.len(), judged.breaks()), (0, 1, true));
    assert_eq!(judged.grants[0].1.uses, ["dep_delay"]);
    actions::revoke_grant(store, &act, agreed, None, Cause::PurposeDone, None).await.unwrap();
    stage.revised(&provider, &resource, file, 41).await.unwrap();
}

async fn agree(stage: &Stage<'_>, provider: &Office, request: RequestId, agreement: &Agreement) -> GrantId {
    let act = stage.act(&provider.head, 30);
    let agreed = actions::agree_request(stage.store, &act, request, None, agreement).await.unwrap();
    agreed.object.grant.unwrap()
}

async fn a_consumer_moves_to_a_newer_derived_schema(store: &Store) {
    let scene = Scene::set(store).await;
    assert_eq!(scene.grant.schema_version, 1);
    scene.revise(|items| items[2].title = "机长姓名".to_owned()).await.unwrap();
    scene.revise(|items| drop(items.remove(2))).await.unwrap();
    let (integrator, head) = (&scene.consumer.integrator, &scene.consumer.head);
    let to = async |who, version| {
        let act = scene.stage.act(who, 50);
        actions::move_grant_schema(store, &act, scene.grant.id, None, version).await
    };
    assert_eq!(to(&scene.provider.head, 2).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(to(&scene.consumer.editor, 4).await.unwrap_err().extra["versions"], serde_json::json!([2, 3]));
    let moved = to(integrator, 2).await.unwrap().object;
    assert_eq!((moved.schema_version, moved.version), (2, 2));
    assert_ne!(moved.schema, scene.grant.schema);
    assert_eq!((&moved.items, &moved.masks), (&scene.grant.items, &scene.grant.masks), "its terms stay");
    let text = store.read().await.unwrap().schema(moved.schema).await.unwrap().unwrap().text;
    assert!(text.contains("机长姓名"), "{text}");
    let again = to(head, 2).await.unwrap();
    assert!(again.replayed && again.object == moved);
    assert_eq!(to(head, 1).await.unwrap_err().code, Code::Invalid, "only forward");
    let moved = to(head, 3).await.unwrap().object;
    assert_eq!(scene.granted().await, moved);
    let text = store.read().await.unwrap().schema(moved.schema).await.unwrap().unwrap().text;
    assert!(text.contains("carrier") && !text.contains("pilot"), "{text}");
    assert_eq!(scene.stage.events_from(50).await, ["grant.schema_moved", "grant.schema_moved"]);
}

async fn what_a_judgement_rests_on_shows_every_change(store: &Store) {
    let scene = Scene::set(store).await;
    let number = scene.resource.number;
    let mut last = None;
    let mut moved = async |what: &str| {
        let footing = store.read().await.unwrap().footing(number).await.unwrap();
        assert_ne!(footing, last, "{what}");
        last = footing;
        let mut session = store.read().await.unwrap();
        let ground = session.ground(number, at(50)).await.unwrap();
        assert_eq!(ground.map(|ground| ground.footing()), footing, "nothing changed meanwhile");
    };
    moved("it is there").await;
    scene.revise(|items| items[0].title = "承运人".to_owned()).await.unwrap();
    moved("the entry").await;
    let integrator = scene.stage.act(&scene.consumer.integrator, 50);
    actions::move_grant_schema(store, &integrator, scene.grant.id, None, 2).await.unwrap();
    moved("what a grant holds").await;
    let second = scene.stage.submitted(&scene.consumer, &scene.resource).await.grant.unwrap();
    moved("a grant more").await;
    let head = scene.stage.act(&scene.provider.head, 51);
    actions::suspend_grant(store, &head, second, None, Cause::Misuse).await.unwrap();
    moved("a grant's state").await;
    actions::revoke_grant(store, &head, second, None, Cause::Misuse, None).await.unwrap();
    moved("a grant less").await;
    scene.stage.submitted(&scene.consumer, &scene.resource).await;
    moved("another in its place").await;
    let other = scene.stage.published(&scene.provider, ShareType::Unconditional).await;
    scene.stage.submitted(&scene.consumer, &other).await;
    let footing = store.read().await.unwrap().footing(number).await.unwrap();
    assert_eq!(footing, last, "a grant on another resource is none of its");
}

async fn a_new_grant_holds_what_is_in_force(store: &Store) {
    let scene = Scene::set(store).await;
    scene.revise(|items| items[0].title = "承运人".to_owned()).await.unwrap();
    let asked = scene.stage.submitted(&scene.consumer, &scene.resource).await;
    let grant = store.read().await.unwrap().grant(asked.grant.unwrap()).await.unwrap().unwrap();
    assert_eq!(grant.schema_version, 2);
    let text = store.read().await.unwrap().schema(grant.schema).await.unwrap().unwrap().text;
    assert!(text.contains("承运人"), "{text}");
}

/// What a client of the registry sends, which knows nothing of titles and grades.
fn sent(fields: &str) -> Candidate {
    let text = format!(
        r#"{{"type":"record","name":"Flights","fields":[{{"name":"carrier","type":"string"}},
        {{"name":"dep_delay","type":["null","long"]}},{{"name":"pilot","type":["null","string"]}}{fields}]}}"#
    );
    Candidate { schema: text, ..Candidate::default() }
}

async fn a_registered_schema_is_taken_where_the_entry_allows_it(store: &Store) {
    const GATE: &str =
        r#",{"name":"gate","type":["null","string"],"default":null,"grade":2,"title":"登机口"}"#;
    let (known, new) = (sent(""), sent(GATE));
    let closed = Scene::set(store).await;
    let topic = TopicName::records("", closed.resource.number, closed.resource.generation);
    let subject = Subject::read(&Part::Value.subject(&topic));
    let (head, integrator) = (closed.stage.act(&closed.provider.head, 41), &closed.provider.integrator);
    let register = async |act: &Act<'_>, candidate: &Candidate| {
        let how = Registering::default();
        actions::register_schema(store, act, &subject, candidate, how).await
    };
    let compatible = async |act: &Act<'_>, candidate: &Candidate| {
        let told = actions::check_compatibility(store, act, &subject, candidate, Against::All, false).await;
        told.unwrap()
    };
    let refused = register(&head, &new).await.unwrap_err();
    assert_eq!(refused.error_code(), 42205, "compatible, of the head, and not allowed");
    assert!(refused.to_string().contains("resource revise"), "{refused}");
    let mut open = closed.resource.file.clone();
    open.auto_register = true;
    closed.stage.revised(&closed.provider, &closed.resource, open, 40).await.unwrap();
    let same = register(&head, &known).await.unwrap();
    assert_eq!((Some(same.id), same.version), (closed.resource.schema, 1), "it says nothing new");
    let by_integrator = closed.stage.act(integrator, 41);
    let refused = register(&by_integrator, &new).await.unwrap_err();
    assert_eq!(refused.error_code(), 42205, "only its reviewer");
    for act in [&head, &by_integrator] {
        for candidate in [&known, &new] {
            assert_eq!(compatible(act, candidate).await, [""; 0], "whoever asks, it is judged the same");
        }
    }
    let adopted = register(&head, &new).await.unwrap();
    let entry = closed.now().await;
    assert_eq!((adopted.version, Some(adopted.id)), (2, entry.schema));
    assert_eq!(entry.file.items[3], gate(ItemType::C));
    assert_eq!(entry.file.items[..3], closed.resource.file.items[..], "what the text does not say stays");
    assert_eq!(closed.versions().await.len(), 2);
    let mut events = closed.stage.events_from(41).await;
    events.sort();
    assert_eq!(events, ["resource.revised", "resource.schema_put_in_force"]);
    let broken = Candidate { schema: new.schema.replace("[\"null\",\"long\"]", "\"long\""), ..new.clone() };
    let lower = Candidate { schema: new.schema.replace("\"grade\":2", "\"grade\":1"), ..new.clone() };
    for (candidate, reason) in [(&broken, "TYPE_MISMATCH"), (&lower, "GRADE_LOOSENED")] {
        let refused = register(&head, candidate).await.unwrap_err();
        assert_eq!(refused.error_code(), 409, "{refused}");
        assert!(refused.to_string().contains(reason), "{refused}");
        let told = compatible(&by_integrator, candidate).await;
        assert!(told.iter().any(|line| line.contains(reason)), "{told:?}");
    }
}

async fn what_a_grants_terms_forbid_is_not_compatible(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let request = stage.submitted(&consumer, &resource).await;
    let topic = TopicName::records("", resource.number, resource.generation);
    let subject = Subject::read(&Part::Value.subject(&topic));
    let asked = async |caller: &Caller, subject: &Subject, candidate: &Candidate| {
        let act = stage.act(caller, 40);
        let told = actions::check_compatibility(store, &act, subject, candidate, Against::All, false).await;
        told.unwrap()
    };
    let mut without = sent("");
    without.schema = without.schema.replace(r#"{"name":"dep_delay","type":["null","long"]},"#, "");
    assert_eq!(asked(&consumer.integrator, &subject, &without).await, [""; 0]);
    let filter = Agreement { filter: Some("dep_delay > 15".to_owned()), ..Agreement::default() };
    agree(&stage, &provider, request.id, &filter).await;
    let told = asked(&provider.head, &subject, &without).await;
    assert!(told[0].contains("FILTER_INVALID") && told[0].contains("provider_filter"), "{told:?}");
    // Whoever else asks is answered by the entry alone: what a filter names and compares with is not to be found out.
    for caller in [&consumer.integrator, &consumer.head, &provider.integrator] {
        assert_eq!(asked(caller, &subject, &without).await, [""; 0], "whether a filter needs an item");
    }
    let listing = |value: &str| {
        let mut candidate = sent("");
        let field = format!(r#"{{"name":"carrier","type":"string","values":["{value}","ZZ"]}}"#);
        candidate.schema = candidate.schema.replace(r#"{"name":"carrier","type":"string"}"#, &field);
        candidate
    };
    let by_head = async |value| asked(&provider.head, &subject, &listing(value)).await;
    assert_ne!(by_head("AA").await, by_head("BB").await, "one of them is what the filter compares with");
    let by_other = async |value| asked(&consumer.integrator, &subject, &listing(value)).await;
    assert_eq!(by_other("AA").await, by_other("BB").await, "which of them it is");
    let ungraded = sent(r#",{"name":"gate","type":["null","string"],"default":null}"#);
    let told = asked(&consumer.integrator, &subject, &ungraded).await;
    assert!(told[0].contains("grade"), "what cannot be adopted is not compatible: {told:?}");
    let key = Subject::read(&Part::Key.subject(&topic));
    let told = asked(&provider.head, &key, &without).await;
    assert!(told[0].contains("NOT_PERMITTED"), "keys never change: {told:?}");
}

conformance!(
    a_compatible_revision_puts_a_new_schema_in_force,
    what_the_schema_does_not_show_makes_no_version,
    a_breaking_revision_changes_nothing,
    a_version_counts_for_good_and_may_come_again,
    a_mask_added_later_still_holds_when_its_item_comes_again,
    whoever_adds_an_item_consents_to_sharing_it,
    whoever_filters_by_an_item_keeps_it,
    a_consumer_moves_to_a_newer_derived_schema,
    what_a_judgement_rests_on_shows_every_change,
    a_new_grant_holds_what_is_in_force,
    a_registered_schema_is_taken_where_the_entry_allows_it,
    what_a_grants_terms_forbid_is_not_compatible,
);
