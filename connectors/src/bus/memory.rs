//! A bus in memory for the tests of sources, sinks and the runner: positions by compare-and-set, records in one
//! partition, and answers that get lost on command.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{BatchId, EventId, Generation, SchemaId, SubscriptionId};
use changtong_catalog::ports::{Receipt, ResourceStanding};
use changtong_catalog::resource::Kind;
use parking_lot::Mutex;
use uuid::Uuid;

use super::{Applied, Bus, GrantedItem, SourceBatch, Subscribed};
use crate::avro::{self, BodyLimits, Places, Plan};
use crate::gate::{From, OnInvalid};
use crate::log::LogRecord;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing happens.
    Refused,
    /// It happens, and nobody hears of it.
    AnswerLost,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub log: Vec<LogRecord>,
    pub aside: Vec<Bytes>,
    pub positions: BTreeMap<String, String>,
    pub publishes: usize,
    pub faults: VecDeque<Option<Fault>>,
    /// Sinks: lines without their end, in order.
    pub lines: Vec<String>,
    pub acked: Vec<Applied>,
    pub position: usize,
    /// Lines before it are past their retention.
    pub kept: usize,
    pub view: usize,
    pub made: bool,
    pub seeks: usize,
    /// While there is a number nobody answers, and calls are counted.
    pub away: Option<usize>,
}

impl Inner {
    fn answers(&mut self) -> Result<(), Refusal> {
        let Some(asked) = &mut self.away else { return Ok(()) };
        *asked += 1;
        Err(Refusal::new(Code::ServerUnreachable, "", "nobody answers"))
    }
}

pub(crate) struct MemoryBus {
    pub standing: ResourceStanding,
    pub plan: Plan,
    pub inner: Arc<Mutex<Inner>>,
    pub page: usize,
    pub items: Vec<GrantedItem>,
    pub deletes: bool,
}

impl MemoryBus {
    pub fn new(standing: ResourceStanding) -> Self {
        let plan = Plan::compile(&standing, 1).unwrap();
        let items = plan.fields.iter().map(|field| GrantedItem {
            name: field.name().to_owned(),
            avro: field.avro,
            nullable: field.nullable,
        });
        let items = items.collect();
        Self { standing, plan, inner: Arc::default(), page: 7, items, deletes: true }
    }

    /// The resource's rows by key, as JSON.
    pub fn table(&self) -> BTreeMap<Vec<u8>, String> {
        let mut rows = BTreeMap::new();
        for record in &self.inner.lock().log {
            let key = record.key.clone().unwrap_or_default().to_vec();
            match record.value {
                Some(_) => rows.insert(key, self.json(record)),
                None => rows.remove(&key),
            };
        }
        rows
    }

    /// Every record, as JSON, in order.
    pub fn records(&self) -> Vec<String> {
        self.inner.lock().log.iter().map(|record| self.json(record)).collect()
    }

    fn json(&self, record: &LogRecord) -> String {
        let mut line = Vec::new();
        self.plan.owner_line(Generation(1), record, &mut Places::default(), &mut line).unwrap();
        let line: HashMap<String, serde_json::Value> = serde_json::from_slice(&line).unwrap();
        line["record"].to_string()
    }

    fn append(&self, inner: &mut Inner, batch: &SourceBatch) -> Result<(), Refusal> {
        let limits =
            BodyLimits { records: 10_000, record_bytes: 1 << 20, decompressed: 64 << 20, ratio: 100 };
        let id = BatchId(Uuid::nil());
        let body = avro::read_body(&self.plan, batch.format, &batch.body, &limits, id, &mut |_| Ok(()))?;
        assert!(!body.records.is_empty() || !body.bad.is_empty(), "an empty publish");
        if !body.bad.is_empty() && batch.on_invalid == OnInvalid::Reject {
            let bad = &body.bad[0];
            let listed = serde_json::json!([{"index": bad.index, "path": bad.problems[0].path, "reason": {"zh": "不行", "en": "no"}}]);
            return Err(Refusal::new(Code::RecordsInvalid, "", "").with("invalid", listed));
        }
        inner.aside.extend(body.bad.into_iter().map(|bad| bad.raw));
        for record in body.records {
            let offset = inner.log.len() as i64;
            inner.log.push(LogRecord {
                partition: 0,
                offset,
                appended_ms: 0,
                key: record.key,
                value: record.value,
            });
        }
        inner.positions.insert(batch.step.connector.clone(), batch.step.to.clone());
        Ok(())
    }
}

pub(crate) fn lost() -> Refusal {
    Refusal::new(Code::OutcomeUnknown, "", "")
}

#[async_trait]
impl Bus for MemoryBus {
    async fn resource(&self) -> Result<ResourceStanding, Refusal> {
        Ok(self.standing.clone())
    }

    async fn position(&self, source: &str) -> Result<String, Refusal> {
        let mut inner = self.inner.lock();
        inner.answers()?;
        Ok(inner.positions.get(source).cloned().unwrap_or_else(|| "-".to_owned()))
    }

    async fn publish(&self, batch: SourceBatch) -> Result<Receipt, Refusal> {
        let mut inner = self.inner.lock();
        inner.answers()?;
        inner.publishes += 1;
        let fault = inner.faults.pop_front().flatten();
        if fault == Some(Fault::Refused) {
            return Err(lost());
        }
        let stored = inner.positions.get(&batch.step.connector).map_or("-", String::as_str).to_owned();
        if stored != batch.step.from {
            return Err(Refusal::new(Code::SourcePosition, "", "").with("position", stored));
        }
        let before = (inner.log.len(), inner.aside.len());
        self.append(&mut inner, &batch)?;
        if fault == Some(Fault::AnswerLost) {
            return Err(lost());
        }
        Ok(Receipt {
            batch: BatchId(Uuid::nil()),
            accepted: (inner.log.len() - before.0) as i64,
            quarantined: (inner.aside.len() - before.1) as i64,
            schema: SchemaId(1),
            runs: Vec::new(),
            event: EventId(Uuid::nil()),
            leaf_sha256: String::new(),
            replayed: false,
        })
    }

    async fn read_own(&self, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let inner = self.inner.lock();
        let to = (from + self.page).min(inner.log.len());
        let mut out = Vec::new();
        for record in &inner.log[from..to] {
            self.plan.owner_line(Generation(1), record, &mut Places::default(), &mut out)?;
        }
        out.extend_from_slice(format!("{{\"next\":\"{to}\"}}\n").as_bytes());
        Ok(Bytes::from(out))
    }

    async fn subscribe(&self, _: &str, _: &From, _: bool) -> Result<Subscribed, Refusal> {
        let mut inner = self.inner.lock();
        inner.answers()?;
        let created = !std::mem::replace(&mut inner.made, true);
        Ok(Subscribed {
            id: SubscriptionId(Uuid::nil()),
            kind: self.standing.resource.file.kind,
            deletes: self.deletes,
            items: self.items.clone(),
            created,
        })
    }

    async fn poll(&self, _: SubscriptionId, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        let mut inner = self.inner.lock();
        inner.answers()?;
        if inner.faults.pop_front().flatten().is_some() {
            return Err(Refusal::new(Code::StoreUnavailable, "", ""));
        }
        let cursor = cursor.map(str::to_owned).unwrap_or_else(|| text(&inner, inner.position));
        let (view, seeks, from) = parse(&cursor);
        if seeks < inner.seeks {
            return Err(Refusal::new(Code::CursorSuperseded, "", ""));
        }
        if view < inner.view && self.standing.resource.file.kind == Kind::Table {
            return Err(Refusal::new(Code::ViewChanged, "", "").with("next", text(&inner, 0)));
        }
        if from < inner.kept {
            return Err(Refusal::new(Code::PositionExpired, "", "").with("next", text(&inner, inner.kept)));
        }
        let to = (from + self.page).min(inner.lines.len());
        let mut out = String::new();
        for line in &inner.lines[from..to] {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&format!("{{\"next\":\"{}\"}}\n", text(&inner, to)));
        Ok(Bytes::from(out))
    }

    async fn acknowledge(&self, _: SubscriptionId, applied: Applied) -> Result<(), Refusal> {
        let mut inner = self.inner.lock();
        inner.answers()?;
        inner.position = parse(&applied.next).2;
        inner.acked.push(applied);
        Ok(())
    }

    async fn seek(&self, _: SubscriptionId, from: &From) -> Result<String, Refusal> {
        let mut inner = self.inner.lock();
        assert_eq!(*from, From::Start);
        inner.seeks += 1;
        inner.position = 0;
        Ok(text(&inner, 0))
    }

    async fn subscription_position(&self, _: SubscriptionId) -> Result<String, Refusal> {
        let inner = self.inner.lock();
        Ok(text(&inner, inner.position))
    }
}

fn text(inner: &Inner, at: usize) -> String {
    format!("{}/{}/{at}", inner.view, inner.seeks)
}

fn parse(cursor: &str) -> (usize, usize, usize) {
    let mut parts = cursor.split('/').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}
