//! Cursors: opaque text that holds subscription, view, seek count and the next offset of every partition, under an
//! HMAC (protocol.md 6).

use crate::ids::SubscriptionId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub subscription: SubscriptionId,
    /// Digest of (generation, grant, items, filters, masks, history).
    pub view: i64,
    pub seek_count: i32,
    /// Next offset of every partition.
    pub next: Vec<i64>,
}
