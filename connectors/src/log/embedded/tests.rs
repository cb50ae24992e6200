//! The suite on the embedded engine, and what is its own: the file's lock, kill -9, a damaged row, the speed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use changtong_catalog::clock::ManualClock;
use changtong_catalog::error::Code;
use changtong_catalog::ids::TopicName;
use chrono::{DateTime, TimeDelta};
use tempfile::TempDir;

use super::EmbeddedLog;
use crate::log::conformance::{DEADLINE, Engine, HOUR, conformance, entry, range, read_all, steward};
use crate::log::conformance::{append, make};
use crate::log::{Log, RECORD_MAX};

mod kill;

struct Embedded {
    dir: TempDir,
    clock: Arc<ManualClock>,
    log: Arc<EmbeddedLog>,
}

#[async_trait]
impl Engine for Embedded {
    const CASES: u32 = 40;

    async fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let log = EmbeddedLog::open(&dir.path().join("log.db"), clock.clone()).await.unwrap();
        Some(Self { dir, clock, log: Arc::new(log) })
    }

    fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    fn prefix(&self) -> String {
        String::new()
    }

    async fn restart(&mut self) {
        self.log.close(DEADLINE).await;
        let reopened = EmbeddedLog::open(&self.dir.path().join("log.db"), self.clock.clone()).await;
        self.log = Arc::new(reopened.unwrap());
    }

    async fn pass_time(&self) {
        self.clock.advance(std::time::Duration::from_millis(20));
    }

    async fn forget(&self, _: &TopicName) {
        self.clock.advance(HOUR * 2);
        self.log.expire().await.unwrap();
    }

    async fn stop(self) {
        self.log.close(DEADLINE).await;
    }
}

conformance!(Embedded);

#[tokio::test]
async fn a_second_opening_is_refused() {
    let engine = Embedded::start().await.unwrap();
    let path = engine.dir.path().join("log.db");
    let second = EmbeddedLog::open(&path, engine.clock.clone()).await;
    assert_eq!(second.err().map(|refusal| refusal.code), Some(Code::AnotherServerActive));
    engine.log.close(DEADLINE).await;
    EmbeddedLog::open(&path, engine.clock.clone()).await.unwrap().close(DEADLINE).await;
}

#[tokio::test]
async fn a_writer_that_ended_or_writes_nothing_more_is_no_answer() {
    let engine = Embedded::start().await.unwrap();
    let topic = make(&engine, 1, 1).await;
    let said = async || engine.log.answers().await.unwrap_err();
    engine.log.halted.store(true, Ordering::Release);
    let refused = append(&*engine.log, &topic, vec![entry(0, "k", "1")]).await.unwrap_err().refusal;
    assert_eq!((said().await, refused.code), (refused.clone(), Code::BrokerUnavailable));
    engine.log.halted.store(false, Ordering::Release);
    engine.log.answers().await.unwrap();
    engine.log.writer.lock().as_ref().unwrap().abort();
    append(&*engine.log, &topic, vec![entry(0, "k", "1")]).await.unwrap_err();
    while engine.log.writer.lock().as_ref().is_some_and(|task| !task.is_finished()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(said().await.code, Code::BrokerUnavailable);
}

#[tokio::test]
async fn the_clock_never_turns_append_times_back() {
    let engine = Embedded::start().await.unwrap();
    let topic = make(&engine, 1, 1).await;
    append(&*engine.log, &topic, vec![entry(0, "k", "1")]).await.unwrap();
    engine.log.close(DEADLINE).await;
    let earlier = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(10_000)));
    let log = EmbeddedLog::open(&engine.dir.path().join("log.db"), earlier).await.unwrap();
    append(&log, &topic, vec![entry(0, "k", "2")]).await.unwrap();
    let read = read_all(&log, &topic, &[range(0, 0, 2)], 2, RECORD_MAX).await;
    assert_eq!(read[1].appended_ms, read[0].appended_ms);
    log.close(DEADLINE).await;
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_nothing_else_is_served() {
    let engine = Embedded::start().await.unwrap();
    let topic = make(&engine, 1, 1).await;
    let values: Vec<_> = (0..20).map(|i| entry(0, "k", &format!("needle-{i:02}"))).collect();
    append(&*engine.log, &topic, values).await.unwrap();
    engine.log.close(DEADLINE).await;
    let path = engine.dir.path().join("log.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"needle-07").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = EmbeddedLog::open(&path, engine.clock.clone()).await.unwrap();
    let refused = log.read(steward(&topic, 20), &[range(0, 0, 20)], RECORD_MAX).await.unwrap_err();
    assert_eq!(refused.code, Code::BrokerUnavailable);
    log.close(DEADLINE).await;
}
