//! A question about schemas keeps nobody from the store while it waits for its turn, or is thought about, and what it may
//! not cost it does not pretend to know.

use chrono::FixedOffset;

use super::look_up_schema::Question;
use super::{Against, check_compatibility};
use crate::account::{Caller, Role};
use crate::actions::think::whole_desk;
use crate::actions::{Act, Rules};
use crate::clock::{SeededIds, Time};
use crate::compat::Work;
use crate::registry::{Candidate, Content, Subject, Wrong};
use crate::store::{Store, testing};
use crate::testing::{caller, subject_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_waits_for_its_turn_holds_no_connection() {
    let fresh = testing::sqlite().await;
    let store = fresh.store.clone();
    let caller = caller(78, 78, &[Role::Integrator]);
    let desk = whole_desk().await;
    let ids = SeededIds::new(1);
    let rules = Rules {
        four_eyes: true,
        zone: FixedOffset::east_opt(0).unwrap(),
        handle_key: String::new(),
        pseudonym_key: String::new(),
        topic_prefix: String::new(),
        subscriptions: 64,
    };
    let act = Act { caller: &caller, now: Time::default(), ids: &ids, rules: &rules, claim: None };
    let (subject, candidate) =
        (Subject::read("s"), Candidate { schema: "\"int\"".to_owned(), ..Candidate::default() });
    let question = check_compatibility(&store, &act, &subject, &candidate, Against::All, false);
    let mut question = std::pin::pin!(question);
    let connections = fresh.config.connections;
    let everything = async {
        let mut held = Vec::new();
        for _ in 0..connections {
            held.push(store.read().await.unwrap());
        }
        held
    };
    let held = tokio::select! {
        biased;
        answer = &mut question => panic!("it was not its turn: {answer:?}"),
        held = everything => held,
    };
    drop((held, desk));
    assert_eq!(question.await.unwrap(), [""; 0]);
    fresh.done().await;
}

fn fixed(name: &str, size: usize, more: &str) -> Content {
    Content::of_text(format!(r#"{{"type":"fixed","name":"{name}","size":{size}{more}}}"#))
}

fn question<'a>(store: &'a Store, caller: &'a Caller, candidate: &'a Candidate) -> Question<'a> {
    Question { store, caller, candidate, normalize: false, with_deleted: false, numbered: false }
}

/// What is looked for is not in the first context, and may be in the second.
async fn what_there_was_no_work_left_for_is_not_said_to_be_missing(store: &Store) {
    let alike = [fixed("CA", 12, ""), fixed("AC", 21, ""), fixed("CA", 21, "")];
    subject_with(store, &Subject::read("s"), &[fixed("AC", 1, "")]).await;
    let caller = subject_with(store, &Subject::read(":.a:s"), &alike).await;
    let candidate = Candidate { schema: fixed("AC", 12, "").text, ..Candidate::default() };
    let question = question(store, &caller, &candidate);
    let subject = Subject::read("s");
    let asked = async |work: Work| question.anywhere(&subject, &mut { work }).await.unwrap_err();
    assert_eq!(asked(Work::default()).await, Wrong::SchemaNotFound(None));
    // Too few to read what was sent, to read it again, and to look at more than one version of three.
    for looks in [100, 600, 1100] {
        let wrong = asked(Work::of(looks)).await;
        assert!(matches!(wrong, Wrong::TooComplex(_)), "{looks}: {wrong:?}");
        assert_eq!(wrong.error_code(), 42201);
    }
}

/// Behind more versions that are not read than one part has.
async fn what_is_passed_over_hides_nothing(store: &Store) {
    let mut versions = vec![fixed("F", 1000, r#","y":2,"x":1"#)];
    versions.extend((1001..1050).map(|size| fixed("F", size, r#","y":2,"x":1"#)));
    let caller = subject_with(store, &Subject::read("s"), &versions).await;
    let candidate = Candidate { schema: fixed("F", 1000, r#","x":1,"y":2"#).text, ..Candidate::default() };
    let question = question(store, &caller, &candidate);
    let found = question.anywhere(&Subject::read("s"), &mut Work::default()).await.unwrap();
    assert_eq!(found.version, 1);
}

crate::conformance!(
    what_there_was_no_work_left_for_is_not_said_to_be_missing,
    what_is_passed_over_hides_nothing,
);
