//! Contexts: how many an agency opens, whatever others do in them, and how it gets back what they cost.

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::actions;
use changtong_catalog::conformance;
use changtong_catalog::registry::{Context, MOST_CONTEXTS, Mode, Subject};
use changtong_catalog::store::{Lock, LockClass, Store};
use serde_json::json;

use super::{Desk, of};

async fn an_agency_opens_so_many_contexts_and_keeps_no_other_from_its_own(store: &Store) {
    let desk = Desk::set(store).await;
    let operator = desk.operator();
    let register = async |caller, subject: &str| desk.try_register(caller, subject, &of("\"int\"")).await;
    for number in 0..MOST_CONTEXTS {
        desk.register(&format!(":.c{number}:s"), "\"int\"").await;
    }
    assert_eq!(desk.refused(":.more:s", &of("\"int\"")).await.error_code(), 42205);
    let set = desk.configure(&desk.one, ":.more:s", json!({"normalize": true})).await.unwrap_err();
    assert_eq!(set.error_code(), 42205);
    desk.register(":.c1:t", "\"int\"").await;
    for number in 0..MOST_CONTEXTS {
        register(&desk.other, &format!(":.d{number}:s")).await.unwrap();
    }
    // Names of contexts say what somebody is at.
    let names = async |caller| {
        let contexts = store.registry_contexts(caller).await.unwrap();
        contexts.iter().map(Context::to_string).collect::<Vec<_>>()
    };
    let (own, others) = (names(&desk.one).await, names(&desk.other).await);
    assert_eq!((own.len(), others.len()), (1 + MOST_CONTEXTS, 1 + MOST_CONTEXTS));
    assert!(own.iter().all(|name| name == "." || name.starts_with(".c")), "{own:?}");
    assert!(others.iter().all(|name| name == "." || name.starts_with(".d")), "{others:?}");
    assert_eq!(names(&operator).await.len(), 1 + 2 * MOST_CONTEXTS, "stewards see all");
    register(&desk.other, ":.c1:u").await.unwrap();
    assert!(names(&desk.other).await.contains(&".c1".to_owned()), "where it has a subject");
    // What is gone makes room for others.
    desk.configure(&desk.operator(), ":.more:", json!({"compatibility": "FULL"})).await.unwrap();
    desk.register(":.more:s", "\"int\"").await;
    for permanent in [false, true] {
        desk.delete(":.c0:s", permanent).await.unwrap();
    }
    let act = desk.stage.act(&desk.authority, 33);
    actions::delete_context(store, &act, &Context::parse(".c0").unwrap()).await.unwrap();
    desk.register(":.again:s", "\"int\"").await;
}

/// By deleting what is empty, and where others are in its contexts, because those do not count.
async fn an_agency_gets_back_what_its_contexts_cost(store: &Store) {
    let desk = Desk::set(store).await;
    let delete = async |caller: &Caller, name: &str| {
        let act = desk.stage.act(caller, 33);
        actions::delete_context(store, &act, &Context::parse(name).unwrap()).await
    };
    let empty = async |subject: &str| {
        for permanent in [false, true] {
            desk.delete(subject, permanent).await.unwrap();
        }
    };
    let full = async |subject: &str| desk.refused(subject, &of("\"int\"")).await.error_code() == 42205;
    for number in 0..MOST_CONTEXTS {
        desk.register(&format!(":.c{number}:s"), "\"int\"").await;
    }
    desk.try_register(&desk.other, ":.c1:u", &of("\"int\"")).await.unwrap();
    assert!(full(":.more:s").await);
    empty(":.c1:s").await;
    desk.register(":.more:s", "\"int\"").await;
    assert!(full(":.again:s").await, "in one of 21 there is nothing but another's");

    empty(":.c0:s").await;
    assert!(full(":.again:s").await, "what is empty is there");
    let contexts = store.registry_contexts(&desk.one).await.unwrap();
    assert!(
        contexts.iter().any(|context| context.as_str() == ".c0"),
        "and shown to who opened it: {contexts:?}"
    );
    assert!(!store.registry_contexts(&desk.other).await.unwrap().contains(&Context::parse(".c0").unwrap()));
    let reader = Caller { roles: [Role::Auditor].into_iter().collect(), ..desk.one.clone() };
    for (caller, name) in
        [(&desk.other, ".c0"), (&reader, ".c0"), (&desk.one, ".none"), (&desk.other, ".none")]
    {
        assert_eq!(delete(caller, name).await.unwrap_err().error_code(), 40301, "{name}");
    }
    for name in [".c1", ".c2"] {
        assert_eq!(delete(&desk.one, name).await.unwrap_err().error_code(), 42211, "{name}");
    }
    delete(&desk.one, ".c0").await.unwrap();
    assert_eq!(desk.register(":.c0:t", "\"long\"").await.id.0, 2, "its ids are not given again");
    assert!(full(":.again:s").await);

    // What a steward has set is a steward's to take away, and no cost of the agency's.
    desk.configure(&desk.authority, ":.c3:", json!({"compatibility": "FULL"})).await.unwrap();
    empty(":.c3:s").await;
    assert_eq!(delete(&desk.one, ".c3").await.unwrap_err().error_code(), 40301);
    desk.register(":.again:s", "\"int\"").await;
    delete(&desk.authority, ".c3").await.unwrap();
}

/// Whatever is opened at once, in contexts that know nothing of each other, and by whatever way.
async fn who_opens_many_contexts_at_once_gets_no_more(store: &Store) {
    let desk = Desk::set(store).await;
    for number in 0..MOST_CONTEXTS - 1 {
        desk.register(&format!(":.c{number}:s"), "\"int\"").await;
    }
    let open = async |number: usize| {
        let subject = format!(":.n{number}:s");
        if number.is_multiple_of(2) {
            return desk.try_register(&desk.one, &subject, &of("\"int\"")).await.map(drop);
        }
        desk.configure(&desk.one, &subject, json!({"normalize": true})).await
    };
    let opened: [_; 8] =
        tokio::join!(open(0), open(1), open(2), open(3), open(4), open(5), open(6), open(7)).into();
    let refused: Vec<_> =
        opened.into_iter().filter_map(Result::err).map(|wrong| wrong.error_code()).collect();
    assert_eq!(refused, [42205; 7]);
    assert_eq!(store.registry_contexts(&desk.one).await.unwrap().len(), 1 + MOST_CONTEXTS);
}

/// As any other change of what is there.
async fn where_all_is_only_to_be_read_no_context_goes(store: &Store) {
    let desk = Desk::set(store).await;
    desk.register(":.c0:s", "\"int\"").await;
    for permanent in [false, true] {
        desk.delete(":.c0:s", permanent).await.unwrap();
    }
    let steward = desk.stage.act(&desk.authority, 33);
    let everything = Subject::read("");
    let (act, context) = (desk.stage.act(&desk.one, 34), Context::parse(".c0").unwrap());
    let mode = Some(Mode::ReadOnlyOverride);
    actions::set_mode(store, &steward, &everything, mode, true).await.unwrap();
    assert_eq!(actions::delete_context(store, &act, &context).await.unwrap_err().error_code(), 42205);
    assert!(store.registry_contexts(&desk.one).await.unwrap().contains(&context));
    actions::set_mode(store, &steward, &everything, None, true).await.unwrap();
    actions::delete_context(store, &act, &context).await.unwrap();
}

/// While it is held by somebody who changes something there.
async fn who_may_delete_no_context_does_not_wait_for_one(store: &Store) {
    let desk = Desk::set(store).await;
    let (context, default) = (Context::parse(".c0").unwrap(), Context::default());
    let mut tx = store.begin().await.unwrap();
    let held = [&context, &default].map(|context| Lock::on(LockClass::Registry, context));
    tx.lock_all_exclusive(held.into()).await.unwrap();
    let reader = Caller { roles: [Role::Auditor].into_iter().collect(), ..desk.one.clone() };
    for (caller, context) in [(&reader, &context), (&reader, &default), (&desk.one, &default)] {
        let act = desk.stage.act(caller, 33);
        let refused = actions::delete_context(store, &act, context).await.unwrap_err();
        assert_eq!(refused.error_code(), 40301);
    }
    drop(tx);
}

conformance!(
    where_all_is_only_to_be_read_no_context_goes,
    who_may_delete_no_context_does_not_wait_for_one,
    an_agency_opens_so_many_contexts_and_keeps_no_other_from_its_own,
    an_agency_gets_back_what_its_contexts_cost,
    who_opens_many_contexts_at_once_gets_no_more,
);
