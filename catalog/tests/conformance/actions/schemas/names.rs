//! Defaults and aliases of items, as a file and as the registry bring them.

use super::*;

/// The pilot under another name, and a gate that is never empty.
fn renamed_and_added(items: &mut Vec<Item>) {
    items[2].name = "captain".to_owned();
    items[2].aliases = vec!["pilot".to_owned()];
    items.push(Item { nullable: false, default: Some("A1".into()), ..gate(ItemType::C) });
}

async fn an_item_with_a_default_is_added_and_one_with_an_alias_renamed(store: &Store) {
    let scene = Scene::set(store).await;
    let revised = scene.revise(renamed_and_added).await.unwrap();
    let versions = scene.versions().await;
    assert_eq!(versions[1].items, revised.file.items, "the store keeps what the file says");
    let (gate, captain) = (&versions[1].items[3], &versions[1].items[2]);
    assert_eq!((&gate.default, &captain.aliases), (&Some("A1".into()), &vec!["pilot".to_owned()]));
    let text = &versions[1].schema.text;
    assert!(text.contains(r#""default":"A1""#) && text.contains(r#""aliases":["pilot"]"#), "{text}");
    assert_eq!(scene.granted().await, scene.grant, "who was granted the one is not granted the other");
    // Without the default, records of the first version have nothing to show.
    let refused = scene.revise(|items| items[3].default = None).await.unwrap_err();
    assert_eq!((refused.code, &refused.extra["path"]), (Code::SchemaIncompatible, &"gate".into()));
    assert_eq!(refused.extra["differences"][0]["version"], 1);
    let unmasked = scene.revise(|items| items[2].mask = None).await.unwrap_err();
    assert_eq!(unmasked.extra["differences"][0]["reason"], "mask_removed");
    let wrong = scene.revise(|items| items[3].default = Some(1.into())).await.unwrap_err();
    assert_eq!((wrong.code, &wrong.extra["path"]), (Code::SchemaRejected, &"items[3].default".into()));
}

async fn a_registered_schema_brings_defaults_and_aliases(store: &Store) {
    let scene = Scene::set(store).await;
    let mut open = scene.resource.file.clone();
    open.auto_register = true;
    scene.stage.revised(&scene.provider, &scene.resource, open, 40).await.unwrap();
    let topic = TopicName::records("", scene.resource.number, scene.resource.generation);
    let subject = Subject::read(&Part::Value.subject(&topic));
    let head = scene.stage.act(&scene.provider.head, 41);
    let register = async |candidate: &Candidate| {
        actions::register_schema(store, &head, &subject, candidate, Registering::default()).await
    };
    let mut sent = sent(r#",{"name":"gate","type":"string","default":"A1","grade":2,"title":"登机口"}"#);
    sent.schema = sent.schema.replace(
        r#"{"name":"pilot","type":["null","string"]}"#,
        r#"{"name":"captain","type":["null","string"],"aliases":["pilot"]}"#,
    );
    let adopted = register(&sent).await.unwrap();
    let entry = scene.now().await;
    assert_eq!((adopted.version, Some(adopted.id)), (2, entry.schema));
    let mut wanted = scene.resource.file.items.clone();
    renamed_and_added(&mut wanted);
    assert_eq!(entry.file.items, wanted, "under another name it keeps its title and its mask");
    let without = Candidate { schema: sent.schema.replace(r#""default":"A1","#, ""), ..sent.clone() };
    let refused = register(&without).await.unwrap_err();
    assert_eq!(refused.error_code(), 409, "{refused}");
    assert!(refused.to_string().contains("READER_FIELD_MISSING_DEFAULT_VALUE"), "{refused}");
    let unlike = Candidate { schema: sent.schema.replace("\"A1\"", "\"A\\u0000\""), ..sent };
    let refused = register(&unlike).await.unwrap_err();
    assert!(refused.to_string().contains("default"), "{refused}");
}

/// One of each type, in the form that its type asks for.
const DEFAULTS: [(ItemType, &str); 11] = [
    (ItemType::C, r#""A""#),
    (ItemType::M, r#""甲""#),
    (ItemType::I, "9223372036854775807"),
    (ItemType::N, "0.25"),
    (ItemType::Y, r#""-0.5""#),
    (ItemType::D, r#""2013-01-31""#),
    (ItemType::T, r#""2013-01-31T00:00:00Z""#),
    (ItemType::L, "true"),
    (ItemType::G, r#""AP+A""#),
    (ItemType::B, "0.5"),
    (ItemType::F, "0.1"),
];

async fn a_default_of_every_type_is_kept_as_it_is_written(store: &Store) {
    let scene = Scene::set(store).await;
    let added = DEFAULTS.map(|(kind, default)| {
        let decimal = matches!(kind, ItemType::N | ItemType::Y);
        Item {
            name: format!("d_{}", format!("{kind:?}").to_lowercase()),
            nullable: false,
            precision: decimal.then_some(9),
            scale: decimal.then_some(2),
            default: Some(serde_json::from_str(default).unwrap()),
            ..gate(kind)
        }
    });
    let revised = scene.revise(|items| items.extend(added.clone())).await.unwrap();
    assert_eq!(revised.file.items[3..], added);
    assert_eq!(scene.now().await.file.items, revised.file.items, "the store gives it back as it was");
    let again = scene.revise(|items| items[0].length = Some(3)).await.unwrap();
    assert_eq!(again.schema, revised.schema, "and makes the same schema of it");
}

conformance!(
    an_item_with_a_default_is_added_and_one_with_an_alias_renamed,
    a_registered_schema_brings_defaults_and_aliases,
    a_default_of_every_type_is_kept_as_it_is_written,
);
