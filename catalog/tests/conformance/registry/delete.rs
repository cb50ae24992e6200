//! Soft and permanent deletion, of versions and subjects.

use changtong_catalog::conformance;
use changtong_catalog::registry::{Deleted, Paging, Prefix, Subject, VersionId};
use changtong_catalog::store::Store;
use serde_json::json;

use super::{Desk, record, says};

async fn versions(desk: &Desk<'_>, subject: &str, deleted: Deleted) -> Vec<i32> {
    desk.store.registry_versions(&desk.one, &Subject::read(subject), deleted).await.unwrap()
}

async fn a_hidden_version_keeps_its_id_and_number(store: &Store) {
    let desk = Desk::set(store).await;
    for fields in [&["a"][..], &["a", "b?"], &["a", "c?"]] {
        desk.register("s", &record(fields)).await;
    }
    assert_eq!(desk.delete_version("s", 2, false).await, Ok(2));
    assert_eq!(versions(&desk, "s", Deleted::Without).await, [1, 3]);
    assert_eq!(versions(&desk, "s", Deleted::With).await, [1, 2, 3]);
    assert_eq!(versions(&desk, "s", Deleted::Only).await, [2]);
    assert_eq!(versions(&desk, "s", Deleted::Negative).await, [1, -2, 3]);
    assert!(store.registry_schema(&desk.one, 2, None).await.is_ok(), "records with it can be read");
    let subject = Subject::read("s");
    let hidden = store.registry_version(&desk.one, &subject, VersionId::Number(2), false).await;
    assert_eq!(says(&hidden.unwrap_err()), (40402, "Version 2 not found.".to_owned()));
    assert!(store.registry_version(&desk.one, &subject, VersionId::Number(2), true).await.unwrap().deleted);
    let twice = desk.delete_version("s", 2, false).await.unwrap_err();
    let text = "Subject 's' Version 2 was soft deleted.Set permanent=true to delete permanently";
    assert_eq!(says(&twice), (40406, text.to_owned()));
    let early = desk.delete_version("s", 1, true).await.unwrap_err();
    let text = "Subject 's' Version 1 was not deleted first before being permanently deleted";
    assert_eq!(says(&early), (40407, text.to_owned()));
    assert_eq!(desk.delete_version("s", 7, false).await.unwrap_err().error_code(), 40402);
    assert_eq!(desk.delete_version("none", 1, false).await.unwrap_err().error_code(), 40401);

    assert_eq!(desk.delete_version("s", 3, false).await, Ok(3));
    let after = desk.register("s", &record(&["a", "d?"])).await;
    assert_eq!((after.version, after.id.0), (4, 4), "numbers of deleted versions are not given again");
    // What was hidden and comes again takes a new number, and the old place goes.
    let back = desk.register("s", &record(&["a", "b?"])).await;
    assert_eq!((back.version, back.id.0), (5, 2));
    assert_eq!(versions(&desk, "s", Deleted::With).await, [1, 3, 4, 5]);
}

async fn what_is_taken_away_is_gone_and_its_id_never_comes_back(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    desk.register("s", &record(&["a", "b?"])).await;
    desk.register("t", &record(&["a"])).await;
    desk.configure(&desk.one, "s", json!({"compatibility": "FULL"})).await.unwrap();
    let early = desk.delete("s", true).await.unwrap_err();
    let text = "Subject 's' was not deleted first before being permanently deleted";
    assert_eq!(says(&early), (40405, text.to_owned()));
    assert_eq!(desk.delete("s", false).await, Ok(vec![1, 2]));
    let twice = desk.delete("s", false).await.unwrap_err();
    let text = "Subject 's' was soft deleted.Set permanent=true to delete permanently";
    assert_eq!(says(&twice), (40404, text.to_owned()));
    let all = async |deleted| {
        store.registry_subjects(&desk.one, &Prefix::read(":*:"), deleted, Paging::default()).await.unwrap()
    };
    assert_eq!(all(Deleted::Without).await, ["t"]);
    assert_eq!(all(Deleted::With).await, ["s", "t"]);
    assert_eq!(all(Deleted::Only).await, ["s"]);
    assert_eq!(desk.delete("s", true).await, Ok(vec![1, 2]));
    assert_eq!(desk.delete("s", true).await.unwrap_err().error_code(), 40401);
    assert!(store.registry_schema(&desk.one, 1, None).await.is_ok(), "the other subject has it");
    assert_eq!(store.registry_schema(&desk.one, 2, None).await.unwrap_err().error_code(), 40403);
    assert_eq!(
        store.registry_config(&desk.one, &Subject::read("s"), false).await.unwrap_err().error_code(),
        40408
    );

    let again = desk.register("s", &record(&["a", "b?"])).await;
    assert_eq!((again.version, again.id.0), (1, 3), "a new number, a new id");
    assert_eq!(desk.register("s2", &record(&["a"])).await.id.0, 1);
    let mut events = desk.stage.events_from(31).await;
    events.sort();
    assert_eq!(events, ["registry.config", "schema.deleted", "schema.deleted"]);
}

async fn only_the_owner_or_the_authority_deletes(store: &Store) {
    use changtong_catalog::actions;
    let desk = Desk::set(store).await;
    desk.register("s", &record(&["a"])).await;
    let subject = Subject::read("s");
    let act = desk.stage.act(&desk.other, 31);
    let foreign = actions::delete_subject(store, &act, &subject, false).await.unwrap_err();
    assert_eq!(foreign.error_code(), 40401, "what is not seen is not there");
    let operator = desk.operator();
    let act = desk.stage.act(&operator, 31);
    assert_eq!(actions::delete_subject(store, &act, &subject, false).await.unwrap_err().error_code(), 40301);
    let act = desk.stage.act(&desk.authority, 31);
    assert_eq!(actions::delete_subject(store, &act, &subject, false).await, Ok(vec![1]));
}

conformance!(
    a_hidden_version_keeps_its_id_and_number,
    what_is_taken_away_is_gone_and_its_id_never_comes_back,
    only_the_owner_or_the_authority_deletes,
);
