//! A question about schemas keeps nobody from the store while it waits for its turn, or is thought about.

use chrono::FixedOffset;

use super::think::whole_desk;
use super::{Against, check_compatibility};
use crate::account::Role;
use crate::actions::{Act, Rules};
use crate::clock::{SeededIds, Time};
use crate::registry::{Candidate, Subject};
use crate::store::testing;
use crate::testing::caller;

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
