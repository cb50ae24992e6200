//! Who waits under a key, an account, an agency or a grant that lets nobody read any more is told so at once, whoever
//! ended it.

use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::api_key::Fallen;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::GrantState;
use changtong_catalog::ids::KeyId;
use changtong_catalog::ports::Ended;
use tokio::task::JoinHandle;

use super::world::{SUBSCRIPTION, World, consumer, until};
use crate::gate::{Frame, Poll};

/// A long poll and a stream of which nothing is left to read, both waiting.
struct Waiting {
    world: World,
    poll: JoinHandle<Result<(), Refusal>>,
    stream: JoinHandle<Refusal>,
}

async fn waiting() -> Waiting {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let next = world.read(None).await.unwrap().next;
    world.gate.windows.drain(Duration::from_secs(5)).await;
    let (gate, poll) =
        (world.gate.clone(), Poll { wait: Duration::from_secs(60), ..world.poll(Some(&next)) });
    let poll = tokio::spawn(async move { gate.deliver(poll).await.map(drop) });
    let mut stream = world.follow(Some(&next)).await.unwrap();
    let stream = tokio::spawn(async move {
        loop {
            match stream.next().await.unwrap().unwrap() {
                Frame::Bytes(_) => {}
                Frame::End { refusal, .. } => break refusal,
            }
        }
    });
    until(async || world.gate.metrics().waiting_polls.get() == 2).await;
    Waiting { world, poll, stream }
}

impl Waiting {
    fn fall(&self, fallen: Fallen) {
        self.world.store.state.lock().ended_keys.insert(consumer().key, fallen);
    }

    /// What both are told, long before a wait or a heartbeat ends by itself.
    async fn told(self) -> [Refusal; 2] {
        let both = async { [self.poll.await.unwrap().unwrap_err(), self.stream.await.unwrap()] };
        tokio::time::timeout(Duration::from_secs(10), both).await.expect("it went on waiting")
    }
}

#[tokio::test]
async fn a_key_an_account_and_an_agency_that_end_are_named() {
    let Caller { key, account, agency, .. } = consumer();
    for (fallen, ended, reason) in [
        (Fallen::Revoked, Ended::Key(key), "key_revoked"),
        (Fallen::Account, Ended::Account(account), "account_suspended"),
        (Fallen::Agency, Ended::Agency(agency), "agency_suspended"),
    ] {
        let waiting = waiting().await;
        waiting.fall(fallen);
        waiting.world.gate.end(&ended).await.unwrap();
        for refusal in waiting.told().await {
            assert_eq!((refusal.code, &refusal.extra["reason"]), (Code::Unauthenticated, &reason.into()));
        }
    }
}

#[tokio::test]
async fn what_ends_without_a_word_is_found_within_a_second() {
    let expired = waiting().await;
    expired.fall(Fallen::Expired);
    expired.world.gate.tick().await.unwrap();
    for refusal in expired.told().await {
        assert_eq!((refusal.code, &refusal.extra["reason"]), (Code::Unauthenticated, &"key_expired".into()));
    }
    let suspended = waiting().await;
    suspended.world.store.state.lock().grant.as_mut().unwrap().state = GrantState::Suspended;
    suspended.world.gate.tick().await.unwrap();
    for refusal in suspended.told().await {
        assert_eq!(refusal.code, Code::GrantSuspended);
    }
}

#[tokio::test]
async fn who_rests_on_what_stands_goes_on_waiting() {
    let waiting = waiting().await;
    waiting.world.gate.tick().await.unwrap();
    waiting.world.gate.end(&Ended::Key(KeyId("another".to_owned()))).await.unwrap();
    waiting.world.rows(3..5).await.unwrap();
    waiting.poll.await.unwrap().expect("what came is answered");
}
