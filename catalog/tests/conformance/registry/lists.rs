//! Lists: whose subjects are in them, in pages, read in parts.

use changtong_catalog::account::Caller;
use changtong_catalog::conformance;
use changtong_catalog::registry::{Candidate, Deleted, Paging, Prefix};
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::{Store, Versions};
use serde_json::json;

use super::{Desk, of};

async fn lists_are_of_what_is_seen(store: &Store) {
    let desk = Desk::set(store).await;
    let operator_of_all = desk.operator();
    let entry = desk.stage.published(&desk.office, ShareType::Conditional).await;
    let hidden = desk.stage.published(&desk.office, ShareType::Withheld).await;
    for subject in ["a", "b", ":.x:c"] {
        desk.register(subject, "\"int\"").await;
        desk.try_register(&desk.other, &format!("{subject}-theirs"), &of("\"int\"")).await.unwrap();
    }
    desk.register("b", "\"long\"").await;
    desk.delete("a", false).await.unwrap();
    let (entry, hidden) = (format!("ct.r.{}-", entry.number), format!("ct.r.{}-", hidden.number));
    let of_entry = |of: &str| [format!("{of}key"), format!("{of}value")].to_vec();
    let names = |names: &[&str], entries: &[&String]| {
        let mut all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        all.extend(entries.iter().flat_map(|of| of_entry(of)));
        all.sort_unstable();
        all
    };
    let listed = async |caller: &Caller, prefix: &str, deleted, paging| {
        store.registry_subjects(caller, &Prefix::read(prefix), deleted, paging).await.unwrap()
    };
    let all = Paging::default();
    let own = names(&["b", ":.x:c"], &[&entry, &hidden]);
    assert_eq!(listed(&desk.one, ":*:", Deleted::Without, all).await, own);
    let theirs = names(&["a-theirs", "b-theirs", ":.x:c-theirs"], &[&entry]);
    assert_eq!(listed(&desk.other, ":*:", Deleted::Without, all).await, theirs);
    let everything = names(&["b", ":.x:c", "a-theirs", "b-theirs", ":.x:c-theirs"], &[&entry, &hidden]);
    assert_eq!(listed(&desk.authority, ":*:", Deleted::Without, all).await, everything);
    let operator = names(&["b", ":.x:c", "a-theirs", "b-theirs", ":.x:c-theirs"], &[&entry]);
    assert_eq!(listed(&operator_of_all, ":*:", Deleted::Without, all).await, operator);
    assert_eq!(listed(&desk.one, "", Deleted::Only, all).await, ["a"]);
    assert_eq!(listed(&desk.one, ":*:a", Deleted::With, all).await, ["a"]);
    for offset in 0..own.len() + 1 {
        let page = Paging { offset, limit: Some(2) };
        let expected: Vec<_> = own.iter().skip(offset).take(2).cloned().collect();
        assert_eq!(listed(&desk.one, ":*:", Deleted::Without, page).await, expected, "{offset}");
    }
    let any = Prefix::read(":*:");
    let versions = Versions { of: &any, deleted: Deleted::Without, latest_only: false, handler: None };
    let of = async |caller| store.registry_list(caller, versions, all).await.unwrap().len();
    assert_eq!((of(&desk.one).await, of(&desk.other).await, of(&desk.authority).await), (7, 5, 10));
}

async fn a_list_is_read_in_parts(store: &Store) {
    let desk = Desk::set(store).await;
    desk.configure(&desk.one, "s", json!({"compatibility": "NONE"})).await.unwrap();
    for number in 0..12 {
        let text = format!(r#"{{"type":"string","n":{number},"x":"{}"}}"#, "x".repeat(200_000));
        desk.register("s", &text).await;
    }
    let any = Prefix::read("");
    let versions = Versions { of: &any, deleted: Deleted::Without, latest_only: false, handler: None };
    let mut left = store.registry_list(&desk.one, versions, Paging::default()).await.unwrap();
    let mut read = Vec::new();
    while !left.is_empty() {
        let part = store.registry_part(&mut left).await.unwrap();
        assert!(part.len() <= 6, "{} texts of 200 KB at once", part.len());
        read.extend(part.into_iter().map(|one| one.version));
    }
    assert_eq!(read, (1..=12).collect::<Vec<_>>());
}

async fn a_list_by_handler_has_only_what_it_runs(store: &Store) {
    let desk = Desk::set(store).await;
    let ruled = |handler: &str| Candidate {
        rule_set: serde_json::from_value(json!({"domainRules": [
            {"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": handler, "expr": "CEL_FIELD"}
        ]}))
        .unwrap(),
        ..of("\"int\"")
    };
    desk.register("plain", "\"int\"").await;
    for (subject, handler) in [("a", "CEL"), ("b", "CEL_FIELD"), ("c", "CEL"), ("d", "ENC\"RYPT")] {
        desk.try_register(&desk.one, subject, &ruled(handler)).await.unwrap();
    }
    let any = Prefix::read(":*:");
    let running = async |handler, paging| {
        let versions =
            Versions { of: &any, deleted: Deleted::Without, latest_only: false, handler: Some(handler) };
        let list = store.registry_list(&desk.one, versions, paging).await.unwrap();
        list.into_iter().map(|(subject, _)| subject.name).collect::<Vec<_>>()
    };
    assert_eq!(running("CEL", Paging::default()).await, ["a", "c"]);
    assert_eq!(running("CEL", Paging { offset: 1, limit: Some(5) }).await, ["c"]);
    assert_eq!(running("CEL_FIELD", Paging::default()).await, ["b"], "named elsewhere is not run");
    assert_eq!(running("ENC\"RYPT", Paging::default()).await, ["d"]);
    assert_eq!(running("nobody", Paging::default()).await, [""; 0]);
}

/// More of them than are read at once, some with much beside.
async fn aliases_are_told_of_what_is_listed(store: &Store) {
    let desk = Desk::set(store).await;
    for subject in ["d", "e", ":.x:d"] {
        desk.register(subject, "\"int\"").await;
    }
    let much = json!({"alias": "d", "defaultMetadata": {"properties": {"p": "x".repeat(60_000)}}});
    desk.configure(&desk.one, "z-much", much).await.unwrap();
    for (alias, of) in [("a-to-e", "e"), (":.x:own", "d"), (":.x:z", ":.:d"), ("\"", "d"), ("none", "")] {
        desk.configure(&desk.one, alias, json!({"alias": of, "normalize": true})).await.unwrap();
    }
    desk.configure(&desk.one, "too-long", json!({"alias": "d".repeat(5000)})).await.unwrap();
    let no_alias = json!({"defaultMetadata": {"properties": {"alias": "d"}}});
    desk.configure(&desk.one, "no-alias", no_alias).await.unwrap();
    for number in 0..200 {
        desk.configure(&desk.one, &format!("m{number:03}"), json!({"alias": "d"})).await.unwrap();
    }
    desk.configure(&desk.other, "theirs", json!({"alias": "d"})).await.unwrap();
    let aliases = async |prefix: &str| {
        let of = Prefix::read(prefix);
        let versions = Versions { of: &of, deleted: Deleted::Without, latest_only: false, handler: None };
        let list = store.registry_list(&desk.one, versions, Paging::default()).await.unwrap();
        store.registry_aliases(&desk.one, &list).await.unwrap()
    };
    let of_d = aliases("d").await;
    assert_eq!(of_d.keys().collect::<Vec<_>>(), ["d"], "of no other");
    let mut expected = vec!["\"".to_owned()];
    expected.extend((0..200).map(|number| format!("m{number:03}")));
    expected.extend(["z-much".to_owned(), ":.x:z".to_owned()]);
    assert_eq!(of_d["d"], expected);
    assert_eq!(aliases(":.x:").await[":.x:d"], [":.x:own"]);
    assert_eq!(aliases("e").await["e"], ["a-to-e"]);
    assert!(aliases("nothing").await.is_empty());
}

conformance!(
    lists_are_of_what_is_seen,
    a_list_is_read_in_parts,
    a_list_by_handler_has_only_what_it_runs,
    aliases_are_told_of_what_is_listed,
);
