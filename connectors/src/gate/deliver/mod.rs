//! Delivering (protocol.md 6 and 7): where a reader stands, the windows its bytes leave in, and their end.
//!
//! | what | where |
//! |---|---|
//! | cursors, floors, acknowledgements, seeks | `stand.rs`, `position.rs` |
//! | one read: decide, wait, open or go on with a window | `poll.rs`, `opening.rs` |
//! | records become pieces of an answer | `fetch.rs` |
//! | the answer, piece by piece under the window's lock | `answer.rs`, `window.rs` |
//! | all windows; what ends them | `windows.rs`, `end.rs` |

mod answer;
mod end;
mod fetch;
mod opening;
mod poll;
mod position;
mod stand;
mod window;
mod windows;

pub use answer::Delivery;
pub(super) use fetch::{READ, RECORDS, visible_ranges};
pub(super) use stand::skip_dead;
pub(super) use windows::Windows;
