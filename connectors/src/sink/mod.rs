//! Where a subscriber's records go. A sink applies a batch together with the cursor behind it, so that neither a crash
//! nor a redelivery loses or doubles a line (protocol.md 6).

pub mod file;
mod line;
pub mod sql;

use async_trait::async_trait;
use changtong_catalog::error::Refusal;

pub use line::{Line, Op, Page, RecordId};

use crate::bus::Subscribed;

/// Lines and the cursor behind them.
#[derive(Debug)]
pub struct Batch<'a> {
    pub lines: &'a [Line],
    pub next: &'a str,
    /// A copy begins here: what the target holds goes in the same step.
    pub begins: bool,
}

/// What a batch did to the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub upserts: u64,
    pub deletes: u64,
}

#[async_trait]
pub trait Sink: Send {
    /// Makes the target ready and takes it over from whoever wrote to it before. Answers the cursor it holds; `None`
    /// if a copy is to be begun: there is none, or the connector was reset since.
    async fn open(&mut self, subscribed: &Subscribed, resets: i32) -> Result<Option<String>, Refusal>;

    /// All of it or nothing, with the cursor.
    async fn apply(&mut self, batch: &Batch<'_>) -> Result<Written, Refusal>;
}
