//! Audit events (protocol.md 9): typed, canonical bytes, a closed list of codes. docs/events.md is the list for
//! people; tests/golden/events fixes the bytes for ever (files are only added).
//!
//! To add an event: its struct in `facts_of/`, its line in `code.rs`, its row in docs/events.md, then
//! `cargo test -p changtong-catalog write_missing_golden_files -- --ignored`.

mod code;
mod event;
mod fact;
mod facts_of;
pub mod jcs;
mod split;
#[cfg(test)]
mod tests;

pub use code::{EventCode, What};
pub use event::{Actor, Encoded, Event, LIMIT, Projection, Unencodable};
pub use fact::{Batch, Build, Digest, leaf_sha256};
pub use facts_of::*;
