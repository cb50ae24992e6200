//! One key, one action: a repeated call gets the first one's answer, made from the object as it is.

use changtong_catalog::account::Role;
use changtong_catalog::actions::{self, NewAgency};
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ports::Claim;
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::Store;

use super::{Stage, at, file, key, names};

fn claim(stage: &Stage<'_>, action: &str, hash: u8) -> Claim {
    Claim {
        account: stage.authority.account,
        action: action.to_owned(),
        object: String::new(),
        key: "retry-1".to_owned(),
        hash: [hash; 16],
    }
}

async fn a_repeated_call_does_nothing_more(store: &Store) {
    let stage = Stage::set(store).await;
    let new = || NewAgency {
        names: names("91999999FAKE00013K", "transport"),
        account: "first".to_owned(),
        key: key("first001"),
        key_expires_at: at(1_000_000),
    };
    let claim_one = claim(&stage, "add_agency", 1);
    let act = stage.claimed(&stage.authority, 5, &claim_one);
    let first = actions::add_agency(store, &act, new()).await.unwrap();
    assert!(!first.replayed);
    // Another secret was made for the repeated call: the stored key is still the first one's.
    let again = NewAgency { key: key("second01"), ..new() };
    let again =
        actions::add_agency(store, &stage.claimed(&stage.authority, 6, &claim_one), again).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.object.agency, first.object.agency);
    assert_eq!(again.object.key.id, first.object.key.id);
    let other = claim(&stage, "add_agency", 2);
    let reused = actions::add_agency(store, &stage.claimed(&stage.authority, 7, &other), new()).await;
    assert_eq!(reused.unwrap_err().code, Code::IdempotencyKeyReused);
    assert_eq!(stage.events_from(6).await, [] as [String; 0]);
}

async fn a_refusal_is_judged_again(store: &Store) {
    let stage = Stage::set(store).await;
    let agency = stage.authority.agency;
    let claim = claim(&stage, "add_account", 1);
    let act = stage.claimed(&stage.authority, 5, &claim);
    let none = [].into_iter().collect();
    let refused = actions::add_account(store, &act, agency, "one", none).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
    let roles = [Role::Auditor].into_iter().collect();
    let added = actions::add_account(store, &act, agency, "one", roles).await.unwrap();
    assert!(!added.replayed, "the refused call left no answer");
    let again = actions::add_account(store, &act, agency, "one", roles).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.object, added.object);
}

async fn the_answer_is_the_object_of_today(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let mut claim = claim(&stage, "draft_resource", 1);
    claim.account = office.editor.account;
    let act = stage.claimed(&office.editor, 10, &claim);
    let drafted = actions::draft_resource(store, &act, file(ShareType::Conditional)).await.unwrap().object;
    let editor = stage.act(&office.editor, 11);
    let submitted = actions::submit_resource(store, &editor, &drafted.code, None).await.unwrap().object;
    let again = actions::draft_resource(store, &act, file(ShareType::Conditional)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.object, submitted);
}

async fn two_calls_at_once_act_once(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let mut claim = claim(&stage, "draft_resource", 1);
    claim.account = office.editor.account;
    let act = stage.claimed(&office.editor, 10, &claim);
    let call = || actions::draft_resource(store, &act, file(ShareType::Conditional));
    let (one, two) = tokio::join!(call(), call());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.replayed, two.replayed);
    assert_eq!(one.object, two.object);
    assert_eq!(stage.events_from(10).await, ["resource.drafted"]);
}

conformance!(
    a_repeated_call_does_nothing_more,
    a_refusal_is_judged_again,
    the_answer_is_the_object_of_today,
    two_calls_at_once_act_once,
);
