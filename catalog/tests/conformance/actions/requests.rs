//! A request's life, and the grant that comes of it.

use changtong_catalog::actions;
use changtong_catalog::clock::Time;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::grant::GrantState;
use changtong_catalog::mask::Mask;
use changtong_catalog::request::{Agreement, RefusalReason, RequestState};
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::Store;

use super::{Stage, at, request_file};

async fn the_unconditional_is_granted_on_the_standing_consent(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Unconditional).await;
    let asked = stage.submitted(&consumer, &resource).await;
    assert_eq!((asked.state, asked.version), (RequestState::Agreed, 3));
    assert_eq!(asked.answered_by, Some(provider.head.account), "who published it consented");
    let mut session = store.read().await.unwrap();
    assert_eq!(session.request(asked.id).await.unwrap().as_ref(), Some(&asked));
    let grant = session.grant(asked.grant.unwrap()).await.unwrap().unwrap();
    assert_eq!((grant.state, grant.number.0, grant.version), (GrantState::Active, 1, 1));
    assert_eq!(grant.masks, [("pilot".to_owned(), Mask::Name)].into(), "the resource's least mask");
    assert_eq!(grant.floor, Some(at(21)), "no history: from the moment it became active");
    let end: Time = "2026-06-30T16:00:00Z".parse().unwrap();
    assert_eq!(grant.valid_until, Some(end), "its last day counts whole, in the deployment's zone");
    assert_eq!((grant.handle_key.as_str(), grant.pseudonym_key.as_str()), ("h1", "p1"));
    let derived = session.schema(grant.schema).await.unwrap().unwrap();
    assert!(derived.text.contains("\"carrier\"") && !derived.text.contains("dep_delay"));
    let told = ["request.drafted", "request.submitted", "request.agreed", "grant.created"];
    assert_eq!(stage.events_from(20).await, told, "in the order in which it happened");
}

async fn the_conditional_is_the_providers_to_agree(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let id = stage.written(&consumer, &resource).await;

    let alone = actions::submit_request(store, &stage.act(&consumer.editor, 21), id, None).await;
    assert_eq!(alone.unwrap_err().code, Code::FourEyes, "its writer does not consent to it");
    let (by, plain) = (stage.act(&provider.head, 21), Agreement::default());
    let unseen = actions::agree_request(store, &by, id, None, &plain).await;
    assert_eq!(unseen.unwrap_err().code, Code::NotFound, "a draft is its consumer's only");
    let act = stage.act(&consumer.head, 21);
    let asked = actions::submit_request(store, &act, id, Some(1)).await.unwrap().object;
    assert_eq!((asked.state, asked.grant), (RequestState::Submitted, None));

    let act = stage.act(&provider.head, 22);
    let missing = actions::need_material(store, &act, id, None, "请补充用途说明").await.unwrap().object;
    assert_eq!(missing.answer.as_deref(), Some("请补充用途说明"));
    let mut better = request_file(&resource.code);
    better.basis = "突发事件应对法第三十七条、第四十条".to_owned();
    let editor = stage.act(&consumer.editor, 23);
    let changed = actions::update_request(store, &editor, id, Some(3), better).await.unwrap().object;
    assert_eq!((changed.state, changed.version), (RequestState::NeedMaterial, 4));
    actions::submit_request(store, &stage.act(&consumer.head, 24), id, None).await.unwrap();

    let act = stage.act(&provider.head, 25);
    let agreement = |text: &str| toml::from_str::<Agreement>(text).unwrap();
    let loose = agreement("masks = { pilot = \"first\" }");
    let loosened = actions::agree_request(store, &act, id, None, &loose).await;
    assert_eq!(loosened.unwrap_err().code, Code::Invalid, "agreeing never loosens");
    let added =
        agreement("masks = { pilot = \"blank\" }\nfilter = \"dep_delay > 15\"\nno_delete_lines = true");
    let agreed = actions::agree_request(store, &act, id, None, &added).await.unwrap().object;
    let grant = store.read().await.unwrap().grant(agreed.grant.unwrap()).await.unwrap().unwrap();
    assert_eq!(grant.masks, [("pilot".to_owned(), Mask::Blank)].into());
    assert_eq!(grant.provider_filter.as_deref(), Some("dep_delay > 15"));
    assert_eq!(grant.consumer_filter.as_deref(), Some("carrier == \"AA\""));
    assert!(!grant.delete_lines);
    assert_eq!(stage.events_from(25).await, ["request.agreed", "grant.created"]);
}

async fn refused_and_withdrawn(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&provider, ShareType::Conditional).await;
    let one = stage.submitted(&consumer, &resource).await;
    let two = stage.submitted(&consumer, &resource).await;
    let (reason, text) = (RefusalReason::NotHeld, Some("数据不在本部门"));
    let act = stage.act(&provider.head, 22);
    let refused = actions::refuse_request(store, &act, one.id, None, reason, text).await.unwrap().object;
    assert_eq!((refused.state, refused.answer.as_deref()), (RequestState::Refused, text));
    let late = actions::agree_request(store, &act, one.id, None, &Agreement::default()).await;
    assert_eq!(late.unwrap_err().code, Code::InvalidState);
    let act = stage.act(&consumer.editor, 23);
    let withdrawn = actions::withdraw_request(store, &act, two.id, None).await.unwrap().object;
    assert_eq!(withdrawn.state, RequestState::Withdrawn);
    assert_eq!(stage.events_from(22).await, ["request.refused", "request.withdrawn"]);
    let listed = store.requests(Some(provider.member.agency.id), None, 10).await.unwrap();
    assert_eq!(listed.items.len(), 2);
}

async fn what_cannot_be_asked_for(store: &Store) {
    let stage = Stage::set(store).await;
    let (provider, consumer) = (stage.provider().await, stage.consumer().await);
    let withheld = stage.published(&provider, ShareType::Withheld).await;
    let act = stage.act(&consumer.editor, 20);
    let refused = actions::write_request(store, &act, request_file(&withheld.code)).await;
    assert_eq!(refused.unwrap_err().code, Code::ResourceWithheld);
    let absent = actions::write_request(store, &act, request_file(&"1010101/000001".parse().unwrap())).await;
    assert_eq!(absent.unwrap_err().code, Code::NotFound);
    let open = stage.published(&provider, ShareType::Conditional).await;
    let mut wrong = request_file(&open.code);
    wrong.items = vec!["nothing".to_owned()];
    let wrong = actions::write_request(store, &act, wrong).await;
    assert_eq!(wrong.unwrap_err().code, Code::Invalid);
    let foreign =
        actions::write_request(store, &stage.act(&provider.editor, 20), request_file(&open.code)).await;
    assert_eq!(foreign.unwrap_err().code, Code::Forbidden, "nobody asks for another agency");
}

conformance!(
    the_unconditional_is_granted_on_the_standing_consent,
    the_conditional_is_the_providers_to_agree,
    refused_and_withdrawn,
    what_cannot_be_asked_for,
);
