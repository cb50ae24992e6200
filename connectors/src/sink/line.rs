//! The lines of a delivery (interface.md 6).

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::WindowId;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    Upsert,
    Delete,
}

impl Op {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

/// One record delivered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    pub id: String,
    /// Absent of a stream.
    pub op: Option<Op>,
    /// The row handle; absent of a stream.
    pub k: Option<String>,
    pub published_at: String,
    /// The granted items; absent of a delete.
    pub record: Option<Map<String, Value>>,
}

/// `generation.partition.offset`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId {
    pub generation: i32,
    pub partition: i32,
    pub offset: i64,
}

impl RecordId {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or_else(garbled);
        let (generation, partition, offset) = (next()?, next()?, next()?);
        Ok(Self {
            generation: generation.parse().map_err(|_| garbled())?,
            partition: partition.parse().map_err(|_| garbled())?,
            offset: offset.parse().map_err(|_| garbled())?,
        })
    }
}

/// What one read answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub lines: Vec<Line>,
    pub next: String,
    pub window: Option<WindowId>,
    pub digest: Option<String>,
}

#[derive(Deserialize)]
struct Last {
    next: String,
    window: Option<WindowId>,
    digest: Option<String>,
}

impl Page {
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut lines: Vec<&[u8]> =
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let last: Last = serde_json::from_slice(lines.pop().ok_or_else(garbled)?).map_err(|_| garbled())?;
        let lines = lines.into_iter().map(|line| serde_json::from_slice(line).map_err(|_| garbled()));
        Ok(Self {
            lines: lines.collect::<Result<_, Refusal>>()?,
            next: last.next,
            window: last.window,
            digest: last.digest,
        })
    }
}

pub(super) fn garbled() -> Refusal {
    Refusal::new(
        Code::Internal,
        "收到的供数行不合约定的格式",
        "a line of the delivery is not of the form agreed",
    )
}
