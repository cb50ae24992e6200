//! Event streams: what they say, where another goes on, how they end (protocol.md 6, interface.md 6).

use std::time::Duration;

use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{Generation, GrantId};
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{CloseReason, Ended};
use changtong_catalog::request::GrantLimits;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::directory::view;
use super::world::{SUBSCRIPTION, World, consumer, until};
use crate::gate::{EventStream, Follow, Frame, From};

const GRANT: Ended = Ended::Grant(GrantId(Uuid::from_u128(4)));

impl World {
    pub async fn follow(&self, cursor: Option<&str>) -> Result<EventStream, Refusal> {
        let cursor = cursor.map(str::to_owned);
        let (caller, subscription) = (consumer(), SUBSCRIPTION);
        self.gate.follow(Follow { caller, subscription, purpose: None, cursor }).await
    }
}

/// What a client has heard.
#[derive(Default)]
struct Heard {
    /// Id and record of each.
    records: Vec<(String, Value)>,
    /// The records' events as they came, since the last mark.
    raw: String,
    marks: Vec<Value>,
    /// Ids of comments, empty where they have none.
    beats: Vec<String>,
    end: Option<(Refusal, String)>,
}

impl Heard {
    fn take(&mut self, frame: Frame) {
        let bytes = match frame {
            Frame::Bytes(bytes) => bytes,
            Frame::End { refusal, next } => {
                self.end = Some((refusal, next));
                return;
            }
        };
        assert!(bytes.len() <= 64 << 10);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for event in text.split_inclusive("\n\n") {
            let field =
                |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let id = field("id: ");
            match (field("event: "), field("data: ")) {
                (None, Some(data)) => {
                    self.records.push((id.unwrap(), serde_json::from_str(&data).unwrap()));
                    self.raw.push_str(event);
                }
                (Some(name), Some(data)) => {
                    let mark: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!((name.as_str(), mark["next"].as_str()), ("mark", id.as_deref()));
                    let digest = hex(&Sha256::digest(std::mem::take(&mut self.raw)));
                    assert_eq!(mark["digest"], digest.as_str(), "as a client computes it");
                    self.marks.push(mark);
                }
                _ => {
                    assert!(event.starts_with(":\n"), "{event}");
                    self.beats.push(id.unwrap_or_default());
                }
            }
        }
    }

    fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.records.iter().map(|(_, event)| event["record"]["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        ids
    }
}

/// Listens until that is heard; a stream that ends before fails.
async fn listen(stream: &mut EventStream, heard: &mut Heard, enough: impl Fn(&Heard) -> bool) {
    let all = async {
        while !enough(heard) {
            heard.take(stream.next().await.expect("it goes on").map_err(|refusal| refusal.code).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("it was never heard");
}

fn quick() -> World {
    World::with(|settings, _| settings.window = Duration::from_millis(60))
}

#[tokio::test]
async fn each_record_is_an_event_and_another_stream_goes_on_behind_any() {
    let world = quick();
    world.rows(0..40).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.marks.len() == 1).await;
    assert_eq!(heard.ids(), (0..40).collect::<Vec<_>>());
    drop(stream);
    for at in [0, 17, 39] {
        let (mut rest, mut later) =
            (world.follow(Some(&heard.records[at].0)).await.unwrap(), Heard::default());
        if at < 39 {
            listen(&mut rest, &mut later, |later| later.marks.len() == 1).await;
        }
        let before = heard.records[..=at].iter().map(|(_, event)| event["record"]["id"].as_i64().unwrap());
        let mut all = later.ids();
        all.extend(before);
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>(), "none is lost, none comes twice");
    }
    let (mut after, mut nothing) =
        (world.follow(heard.marks[0]["next"].as_str()).await.unwrap(), Heard::default());
    world.rows(40..43).await.unwrap();
    listen(&mut after, &mut nothing, |heard| heard.marks.len() == 1).await;
    assert_eq!(nothing.ids(), [40, 41, 42]);
}

#[tokio::test]
async fn window_follows_window_and_all_of_it_is_one_call() {
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_millis(60);
        grant.limits.calls_per_day = Some(1);
    });
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    for round in 0..3 {
        world.rows(10 * round..10 * round + 10).await.unwrap();
        listen(&mut stream, &mut heard, |heard| heard.marks.len() as i64 == round + 1).await;
    }
    assert_eq!(heard.ids().len(), 30);
    until(async || world.gate.windows.count() == 0).await;
    let state = world.store.state.lock();
    assert_eq!((state.windows.len(), state.calls_used), (3, 1));
    for (_, closing) in state.windows.values() {
        let closing = closing.clone().unwrap();
        assert_eq!((closing.reason, closing.sent), (CloseReason::Time, 10));
        assert!(heard.marks.iter().any(|mark| mark["digest"] == closing.digest.as_str()));
    }
}

#[tokio::test]
async fn a_stream_that_waits_beats_and_opens_no_window() {
    let world = World::with(|settings, grant| {
        settings.heartbeat = Duration::from_millis(30);
        grant.provider_filter = Some("id >= 100".to_owned());
    });
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.beats.len() == 2).await;
    assert!(heard.beats.iter().all(String::is_empty), "nothing was passed over");
    world.rows(0..10).await.unwrap();
    listen(&mut stream, &mut heard, |heard| heard.beats.last().is_some_and(|id| !id.is_empty())).await;
    let behind = world.gate.decode(heard.beats.last().unwrap()).unwrap().next;
    assert_eq!(behind.iter().sum::<i64>(), 10, "who goes on there does not read them again");
    assert_eq!(world.store.state.lock().windows.len(), 0);
    world.rows(100..103).await.unwrap();
    listen(&mut stream, &mut heard, |heard| heard.records.len() == 3).await;
}

#[tokio::test]
async fn nothing_stands_inside_an_event_of_several_writes() {
    let world = World::with(|settings, _| settings.heartbeat = Duration::from_millis(20));
    world.subscribe(SUBSCRIPTION);
    let long = "长".repeat(60_000);
    world.publish(&format!("{{\"id\":1,\"v\":\"{long}\"}}")).await.unwrap();
    let mut stream = world.follow(None).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\n\n") {
        let Some(Ok(Frame::Bytes(bytes))) = stream.next().await else { panic!("it goes on") };
        heard.extend_from_slice(&bytes);
        // The reader stalls for longer than a heartbeat.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let heard = String::from_utf8(heard).unwrap();
    let data = heard.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let record: Value = serde_json::from_str(data).unwrap();
    assert_eq!(record["record"]["v"], long.as_str());
}

#[tokio::test]
async fn who_reads_more_slowly_than_the_heartbeat_comes_to_the_records() {
    let world = World::with(|settings, _| settings.heartbeat = Duration::from_millis(1));
    world.rows(0..5).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        heard.take(stream.next().await.unwrap().unwrap());
    }
    assert_eq!(heard.ids(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_revoke_resets_a_stream_and_tells_one_that_waits() {
    let world = World::new();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    heard.take(stream.next().await.unwrap().unwrap());
    heard.take(stream.next().await.unwrap().unwrap());
    let (view, next) = (view(&world.store.state.lock()), world.log.ends(&world.topic()));
    let end = Cursor { subscription: SUBSCRIPTION, view, generation: Generation(1), seek_count: 0, next };
    let mut waiting = world.follow(Some(&world.gate.encode(&end).unwrap())).await.unwrap();
    world.revoke_in_store();
    let last_left = world.gate.end(&GRANT).await.unwrap();
    let mut behind = vec![0_i64; 3];
    for (_, event) in &heard.records {
        let mut id = event["id"].as_str().unwrap().split('.').skip(1).map(|n| n.parse::<i64>().unwrap());
        let (partition, offset) = (id.next().unwrap() as usize, id.next().unwrap());
        behind[partition] = behind[partition].max(offset + 1);
    }
    assert_eq!(world.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next, behind);
    assert!(stream.next().await.unwrap().is_err(), "the connection is reset");
    assert!(stream.next().await.is_none());
    let mut told = Heard::default();
    listen(&mut waiting, &mut told, |told| told.end.is_some()).await;
    assert_eq!(told.end.unwrap().0.code, Code::GrantRevoked);
    assert!(waiting.next().await.is_none());
}

#[tokio::test]
async fn a_used_up_quota_ends_it_with_its_reset() {
    let world = World::with(|settings, grant| {
        settings.window = Duration::from_millis(60);
        grant.limits.records_per_day = Some(10);
    });
    world.rows(0..30).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.end.is_some()).await;
    assert_eq!((heard.records.len(), heard.marks.len()), (10, 1));
    let (refusal, next) = heard.end.unwrap();
    assert_eq!(refusal.code, Code::QuotaExceeded);
    assert!(refusal.extra["resets_at"].is_string());
    assert_eq!(next, heard.marks[0]["next"].as_str().unwrap());
}

#[tokio::test]
async fn a_rate_makes_it_wait_and_refuses_nothing() {
    let limits = GrantLimits { records_per_second: Some(10), ..GrantLimits::default() };
    let world = World::with(|_, grant| grant.limits = limits);
    world.rows(0..25).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.records.len() == 10).await;
    for all in [20, 25] {
        world.clock.advance(Duration::from_secs(1));
        listen(&mut stream, &mut heard, |heard| heard.records.len() == all).await;
    }
    assert_eq!(heard.ids(), (0..25).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_shutdown_is_told_behind_the_mark() {
    let world = World::new();
    world.rows(0..3).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.records.len() == 3).await;
    let gate = world.gate.clone();
    let draining = tokio::spawn(async move { gate.drain(Duration::from_secs(10)).await });
    listen(&mut stream, &mut heard, |heard| heard.end.is_some()).await;
    assert_eq!(heard.marks.len(), 1);
    assert_eq!(heard.end.unwrap().0.code, Code::ShuttingDown);
    draining.await.unwrap();
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    assert_eq!((closing.reason, closing.sent), (CloseReason::Shutdown, 3));
}

#[tokio::test]
async fn another_view_and_a_seek_end_it_with_where_to_begin() {
    let world = quick();
    world.rows(0..5).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    listen(&mut stream, &mut heard, |heard| heard.marks.len() == 1).await;
    {
        let mut state = world.store.state.lock();
        let grant = state.grant.as_mut().unwrap();
        grant.items = vec!["id".to_owned()];
        grant.version += 1;
    }
    world.rows(5..7).await.unwrap();
    listen(&mut stream, &mut heard, |heard| heard.end.is_some()).await;
    let (refusal, next) = heard.end.unwrap();
    assert_eq!((refusal.code, heard.records.len()), (Code::ViewChanged, 5), "nothing of it in the old view");
    let (mut anew, mut heard) = (world.follow(Some(&next)).await.unwrap(), Heard::default());
    listen(&mut anew, &mut heard, |heard| heard.records.len() == 7).await;

    world.gate.seek(&consumer(), SUBSCRIPTION, &From::Start).await.unwrap();
    listen(&mut anew, &mut heard, |heard| heard.end.is_some()).await;
    let (refusal, next) = heard.end.unwrap();
    assert_eq!(refusal.code, Code::CursorSuperseded);
    let (mut sought, mut heard) = (world.follow(Some(&next)).await.unwrap(), Heard::default());
    listen(&mut sought, &mut heard, |heard| heard.records.len() == 7).await;
    assert_eq!(heard.ids(), [0, 1, 2, 3, 4, 5, 6], "from where the seek has put the position");
}

#[tokio::test]
async fn a_seek_ends_it_with_the_position_before_there_is_anything() {
    let world = quick();
    world.subscribe(SUBSCRIPTION);
    let (mut stream, mut heard) = (world.follow(None).await.unwrap(), Heard::default());
    world.gate.seek(&consumer(), SUBSCRIPTION, &From::End).await.unwrap();
    listen(&mut stream, &mut heard, |heard| heard.end.is_some()).await;
    let (refusal, next) = heard.end.unwrap();
    assert_eq!(refusal.code, Code::CursorSuperseded);
    let (mut sought, mut heard) = (world.follow(Some(&next)).await.unwrap(), Heard::default());
    world.rows(0..3).await.unwrap();
    listen(&mut sought, &mut heard, |heard| heard.records.len() == 3).await;
}

#[tokio::test]
async fn a_lost_lease_lets_not_even_a_comment_out() {
    let world = World::with(|settings, _| settings.heartbeat = Duration::from_millis(20));
    world.subscribe(SUBSCRIPTION);
    let mut stream = world.follow(None).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    world.alive.lose();
    let refusal = stream.next().await.unwrap().map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::AnotherServerActive);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_nobody() {
    let world = World::with(|settings, _| settings.window = Duration::from_millis(500));
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut stalled = world.follow(None).await.unwrap();
    assert!(stalled.next().await.unwrap().is_ok());
    assert_eq!(world.read(None).await.unwrap().records.len(), 3000, "others read on");
    until(async || world.gate.windows.count() == 0).await;
    {
        let state = world.store.state.lock();
        let reasons = state.windows.values().map(|(_, closing)| closing.as_ref().unwrap().reason);
        assert!(reasons.into_iter().all(|reason| reason == CloseReason::Time), "its window ended by itself");
    }
    assert!(world.gate.budget().held() <= 2 << 20);
    drop(stalled);
    assert_eq!(world.gate.budget().held(), 0);
}
