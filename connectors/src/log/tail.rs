//! What was read lately, shared by the readers near the end of a topic: the first of them reads the log, the others
//! find its records here. Readers farther behind read the log themselves.

use std::collections::HashMap;
use std::sync::Arc;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::kept::{self, Here, Kept, is_near};
use super::{Log, LogRecord, Range, refusals};
use crate::events::LogRead;
use crate::gate::Permit;
use crate::metrics::Metrics;

pub struct Tail {
    log: Arc<dyn Log>,
    metrics: Arc<Metrics>,
    topics: Mutex<HashMap<TopicName, Arc<TopicTail>>>,
}

#[derive(Default)]
struct TopicTail {
    kept: Mutex<Kept>,
    /// Held by the one that reads the log for the others.
    reading: tokio::sync::Mutex<()>,
}

impl Tail {
    #[must_use]
    pub fn new(log: Arc<dyn Log>, metrics: Arc<Metrics>) -> Self {
        Self { log, metrics, topics: Mutex::default() }
    }

    /// As `Log::read`.
    pub async fn read(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        refusals::check_read(&permit, ranges)?;
        if !is_near(ranges) {
            return self.read_log(permit, ranges, max_bytes).await;
        }
        let topic = self.topics.lock().entry(permit.topic().clone()).or_default().clone();
        let here = |permit: &Permit| topic.kept.lock().find(Instant::now(), ranges, permit.most(), max_bytes);
        match here(&permit) {
            Here::Found(records) => return Ok(self.shared(records)),
            Here::Before => return self.read_log(permit, ranges, max_bytes).await,
            Here::Beyond => {}
        }
        let turn = timeout(permit.deadline(), topic.reading.lock()).await;
        let _turn = turn.map_err(|_| refusals::timed_out(permit.topic()))?;
        if let Here::Found(records) = here(&permit) {
            return Ok(self.shared(records));
        }
        let records = self.read_log(permit, ranges, max_bytes).await?;
        topic.kept.lock().keep(Instant::now(), &records);
        Ok(records)
    }

    /// Drops what was kept long enough; every second.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut topics = self.topics.lock();
        let mut all = 0;
        for topic in topics.values() {
            let mut kept = topic.kept.lock();
            kept.drop_older(now);
            all += kept.bytes();
        }
        let all_too_much = all > kept::ALL;
        topics.retain(|_, topic| {
            let idle = Arc::strong_count(topic) == 1;
            !(idle && (all_too_much || topic.kept.lock().bytes() == 0))
        });
    }

    fn shared(&self, records: Vec<LogRecord>) -> Vec<LogRecord> {
        LogRead { shared: true }.emit(&self.metrics);
        records
    }

    async fn read_log(
        &self,
        permit: Permit,
        ranges: &[Range],
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, Refusal> {
        LogRead { shared: false }.emit(&self.metrics);
        self.log.read(permit, ranges, max_bytes).await
    }
}
