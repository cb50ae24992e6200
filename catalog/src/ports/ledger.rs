//! What the bus side commits: attempts, windows, positions, settling (protocol.md 3, 4, 6, 7).

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Topic;
use crate::account::Caller;
use crate::clock::Time;
use crate::cursor::Cursor;
use crate::error::{Code, Refusal};
use crate::ids::{
    AccountId, AgencyId, BatchId, EventId, Generation, GrantId, KeyId, QuarantineId, ResourceNumber,
    SchemaId, SubscriptionId, WindowId,
};
use crate::visibility::{PartitionView, Run};

/// The client's word for "this very request": scope and hash as protocol.md 5 says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    pub account: AccountId,
    /// `publish`, or the action's name.
    pub action: String,
    /// Resource number or other object id, as text.
    pub object: String,
    pub key: String,
    /// Over content type, options and decompressed body.
    pub hash: [u8; 16],
}

/// A source connector's step (protocol.md 5): `-` stands before the first position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStep {
    pub connector: String,
    pub from: String,
    pub to: String,
}

/// A rejected record: its bytes are in the quarantine topic, under its id; this is its index row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRecord {
    pub id: QuarantineId,
    pub partition: i32,
    pub offset: i64,
    pub code: Code,
    /// Path of the field, or empty.
    pub path: String,
    /// Reason in words without record content.
    pub reason_zh: String,
    pub reason_en: String,
}

/// Records appended to the log that ask to count.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub batch: BatchId,
    pub caller: Caller,
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub schema: SchemaId,
    pub fingerprint: String,
    pub accepted: i64,
    pub bytes: i64,
    /// In order of (partition, first); closed.
    pub runs: Vec<Run>,
    pub quarantined: Vec<QuarantinedRecord>,
    pub claim: Option<Claim>,
    pub source: Option<SourceStep>,
    /// The record set aside that this publishes again: decided in the same commit.
    pub replays: Option<QuarantineId>,
}

/// What a publish answers; rebuilt from the stored row and event when replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub batch: BatchId,
    pub accepted: i64,
    pub quarantined: i64,
    pub schema: SchemaId,
    pub runs: Vec<Run>,
    pub event: EventId,
    /// Hex SHA-256 of `0x00 || body`: the event's leaf.
    pub leaf_sha256: String,
    pub replayed: bool,
}

/// A window asked for (protocol.md 6).
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    pub window: WindowId,
    pub caller: Caller,
    pub subscription: SubscriptionId,
    pub grant: GrantId,
    pub grant_version: i32,
    pub resource: ResourceNumber,
    /// The agency of the resource, which never changes: its suspension ends the window too.
    pub provider: AgencyId,
    pub generation: Generation,
    pub purpose: String,
    /// Next offset per partition where the window starts.
    pub from: Vec<i64>,
    pub until: Time,
    pub most: i64,
    pub calls_per_day: Option<i64>,
    pub records_per_day: Option<i64>,
    /// A call counts once a day: not where it has opened or used a window before.
    pub counts: bool,
    /// Readers of the grant that wait for its quota, this one included: what is left is divided among them.
    pub readers: i64,
    /// The day of the quota, in the deployment's zone.
    pub day: NaiveDate,
    /// When that day ends, for the refusal of a quota that is used up.
    pub resets_at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub window: WindowId,
    /// Not later than the grant's end, whatever was asked.
    pub until: Time,
    /// Records reserved: the most the window may let out.
    pub most: i64,
    /// Calls that count today, this one included; those that went on with a window are added when it closes.
    pub calls: i64,
}

/// Member of a `quota_exceeded` that only the reservations of open windows cause: records they still hold.
const RESERVED: &str = "reserved";

/// Whether the quota has something left once the open windows have closed: wait for that, then ask again.
#[must_use]
pub fn waits_for_windows(refusal: &Refusal) -> bool {
    refusal.code == Code::QuotaExceeded && refusal.extra.contains_key(RESERVED)
}

/// Marks a `quota_exceeded` as one that the close of open windows may end.
#[must_use]
pub fn for_windows(refusal: Refusal, reserved: i64) -> Refusal {
    refusal.with(RESERVED, reserved)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Its time ran out.
    Time,
    /// Its N-th record was let out.
    Count,
    /// The reader went or read on elsewhere.
    Reader,
    /// A revoke, suspend or expiry ended it.
    Ended,
    Shutdown,
    /// Found open at a start: at most N records left.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub window: WindowId,
    pub reason: CloseReason,
    /// Next offset per partition behind the last record looked at.
    pub through: Vec<i64>,
    /// Next offset per partition behind the farthest record let out.
    pub let_out: Vec<i64>,
    pub sent: i64,
    pub passed_over: i64,
    pub bytes: i64,
    pub digest: String,
    /// Calls that used the window beyond the one that opened it.
    pub further_calls: i64,
}

/// A position moved by its consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub caller: Caller,
    pub cursor: Cursor,
    /// The view in force: a cursor of it replaces a position of an earlier view.
    pub view: i64,
    /// What the consumer says it received.
    pub window: Option<WindowId>,
    pub digest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seek {
    pub caller: Caller,
    pub subscription: SubscriptionId,
    pub view: i64,
    /// Whose offsets `position` holds.
    pub generation: Generation,
    pub position: Vec<i64>,
}

/// What one transaction of the store decides together.
#[derive(Debug, Default)]
pub struct Group {
    pub attempts: Vec<Attempt>,
    pub openings: Vec<Opening>,
    pub closings: Vec<Closing>,
    pub acks: Vec<Ack>,
    pub seeks: Vec<Seek>,
    /// Offsets of attempts that died before their commit; recorded only where no run lies.
    pub dead: Vec<DeadRuns>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRuns {
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub runs: Vec<Run>,
}

/// Answers in the order of the group's members.
#[derive(Debug, Default)]
pub struct Answers {
    pub attempts: Vec<Result<Receipt, Refusal>>,
    pub openings: Vec<Result<Opened, Refusal>>,
    pub acks: Vec<Result<(), Refusal>>,
    /// The new seek count.
    pub seeks: Vec<Result<i32, Refusal>>,
}

/// Why a group has no answers.
#[derive(Debug, Clone, PartialEq)]
pub enum CommitError {
    /// COMMIT was not sent, or was refused: nothing of the group counts.
    NotSent(Refusal),
    /// COMMIT was sent and its answer is missing: nobody knows yet; ask `outcome`.
    Unknown(Refusal),
}

/// What the settling job noted of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settling {
    pub topic: Topic,
    /// Per partition the log's end noted `settle_after` ago: holes below it are dead.
    pub noted_ends: Vec<i64>,
    /// Per partition the first record still kept: dead runs below it are dropped.
    pub first_kept: Vec<i64>,
}

/// What a change ended: whose windows count for `last_left` (protocol.md 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Grant(GrantId),
    Resource(ResourceNumber),
    Agency(AgencyId),
    Account(AccountId),
    Key(KeyId),
}

/// A window found open at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOpen {
    pub window: WindowId,
    pub grant: GrantId,
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub from: Vec<i64>,
    pub most: i64,
}

#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// `settled` and runs of every partition, in one statement.
    async fn views(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<PartitionView>, Refusal>;

    /// The same, asked by the committer on its own thread.
    async fn committer_views(
        &self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Vec<PartitionView>, Refusal> {
        self.views(resource, generation).await
    }

    /// Commits that the topic is wanted; it is made afterwards. Answers the stored one if there is one already.
    async fn want_topic(&self, topic: &Topic) -> Result<Topic, Refusal>;
    async fn topic_made(&self, topic: &Topic) -> Result<(), Refusal>;

    /// One transaction for all of it, with the epoch compared.
    async fn commit(&self, group: &Group) -> Result<Answers, CommitError>;

    /// After an unknown commit: takes the topics exclusively (which waits for that COMMIT) and answers what stands.
    async fn outcome(&self, attempts: &[Attempt]) -> Result<Vec<Result<Receipt, Refusal>>, Refusal>;

    /// After an unknown commit of openings: waits until that COMMIT has or has not taken effect (takes the topics of
    /// their resources alone). Before, nobody can say that a window never opened.
    async fn decided(&self, resources: &[ResourceNumber]) -> Result<(), Refusal>;

    /// The receipt stored under a claim: `None` if the key is free; refused if it was used with another hash.
    async fn stored_receipt(&self, claim: &Claim, generation: Generation)
    -> Result<Option<Receipt>, Refusal>;

    /// The stored position of a source; `-` if it has none.
    async fn source_position(&self, resource: ResourceNumber, connector: &str) -> Result<String, Refusal>;

    /// Whose a source is and where it stands; `None` before its first batch.
    async fn source(
        &self,
        resource: ResourceNumber,
        connector: &str,
    ) -> Result<Option<(AccountId, String)>, Refusal>;

    /// Declares holes dead, moves `settled`, drops what is not needed; one event if holes were found. A store that lacks
    /// what it is `known` to have held answers [`store_older`], and nothing changes.
    async fn settle(
        &self,
        settling: &Settling,
        known: &[PartitionView],
    ) -> Result<Vec<PartitionView>, Refusal>;

    /// The log lost acknowledged records of the generation in force: the resource stops.
    async fn log_rolled_back(&self, resource: ResourceNumber, generation: Generation) -> Result<(), Refusal>;

    /// A grant's floor in a generation, once resolved.
    async fn floor(&self, grant: GrantId, generation: Generation) -> Result<Option<Vec<i64>>, Refusal>;

    /// Stores the offsets of a grant's floor once; answers what is stored.
    async fn resolve_floor(
        &self,
        grant: GrantId,
        generation: Generation,
        offsets: &[i64],
    ) -> Result<Vec<i64>, Refusal>;

    /// Per subscription the farthest that any of its windows let out, from the closings stored so far.
    async fn last_left(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, Cursor>, Refusal>;

    /// Windows that an earlier server (an older epoch) left open. The next start closes them as unknown.
    async fn left_open(&self) -> Result<Vec<LeftOpen>, Refusal>;
}

/// What it does not know may have been acknowledged, so nothing is settled, published or delivered.
#[must_use]
pub fn store_older() -> Refusal {
    Refusal::new(
        Code::StoreOlderThanLog,
        "数据库比日志旧(可能恢复自旧备份,或切换到了落后的副本),发布和供数已停止;请管理员换回较新的数据库,或停止服务后以 \
         `changtong reconcile --adopt 事件文件` 认领它所不知道的记录、以 --declare-dead 放弃它们",
        "the store is older than the log (restored from an old backup, or a replica that lagged?); publishing and delivery stand still: put the \
         newer database back, or stop the server and let `changtong reconcile` adopt what the store does not know \
         (--adopt EVENTS_FILE) or give it up (--declare-dead)",
    )
}
