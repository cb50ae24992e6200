//! What callers ask of the gate and what it answers.

use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::clock::Time;
use changtong_catalog::ids::{
    AccountId, Generation, QuarantineId, ResourceCode, ResourceNumber, SubscriptionId, WindowId,
};
use changtong_catalog::ports::SourceStep;

use super::budget::Held;
pub use crate::avro::Format;

/// What becomes of a batch with records that don't fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInvalid {
    /// The batch is refused whole.
    #[default]
    Reject,
    /// The bad ones are set aside, the rest is published.
    Quarantine,
}

/// A body read whole and decompressed, with the share of the budget it takes.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    pub held: Held,
}

#[derive(Debug)]
pub struct Publish {
    pub caller: Caller,
    pub resource: ResourceCode,
    pub format: Format,
    pub on_invalid: OnInvalid,
    pub body: Body,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `Changtong-Source`.
    pub source: Option<SourceStep>,
}

/// One read of a subscription.
#[derive(Debug, Clone)]
pub struct Poll {
    pub caller: Caller,
    pub subscription: SubscriptionId,
    /// `Changtong-Purpose`.
    pub purpose: Option<String>,
    pub cursor: Option<String>,
    /// The most lines of the answer.
    pub limit: Option<u64>,
    /// About the most bytes of the answer.
    pub max_bytes: Option<u64>,
    /// How long to wait while nothing is there.
    pub wait: Duration,
}

/// An event stream of a subscription.
#[derive(Debug, Clone)]
pub struct Follow {
    pub caller: Caller,
    pub subscription: SubscriptionId,
    /// `Changtong-Purpose`.
    pub purpose: Option<String>,
    /// `Last-Event-ID`, or `cursor`.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Acknowledge {
    pub caller: Caller,
    pub subscription: SubscriptionId,
    pub next: String,
    pub window: Option<WindowId>,
    pub digest: Option<String>,
}

/// Where a subscription begins: `start`, `end`, a time or a cursor of the same grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    Start,
    End,
    Time(Time),
    Cursor(String),
}

/// A `from` resolved: what a new subscription stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub view: i64,
    /// Whose offsets `position` holds.
    pub generation: Generation,
    /// Next offset per partition; empty while the resource has no topic (then everything is ahead).
    pub position: Vec<i64>,
}

/// An owner reading its own resource.
#[derive(Debug, Clone)]
pub struct OwnRead {
    pub resource: ResourceCode,
    pub cursor: Option<String>,
    pub limit: Option<u64>,
    pub max_bytes: Option<u64>,
    /// As a container file instead of lines.
    pub file: bool,
    /// The schema version that shapes the records; if not said, the one in force.
    pub version: Option<i32>,
}

/// Where a record set aside lies; the store's index row says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub id: QuarantineId,
    pub resource: ResourceNumber,
    /// Who published it: whoever of its agency replays it does so under one claim.
    pub account: AccountId,
    /// When the publish that set it aside began.
    pub published_at: Time,
    /// Neither replayed nor discarded yet.
    pub waiting: bool,
    pub partition: i32,
    pub offset: i64,
    /// Its record bears its id.
    pub marked: bool,
}

/// A record set aside to be published after all.
#[derive(Debug)]
pub struct Replay {
    pub caller: Caller,
    pub aside: SetAside,
    /// The record as corrected; `None`: as it came.
    pub corrected: Option<(Format, Body)>,
    /// Although the table has a newer record of the key.
    pub overwrite: bool,
}

/// A record set aside, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub format: Format,
    /// Readable alone: a JSON line, a CSV header and one row, a container file of one record.
    pub bytes: Bytes,
}
