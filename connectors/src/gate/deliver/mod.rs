//! Delivering (protocol.md 6 and 7): where a reader stands, the windows its bytes leave in, and their end.
//!
//! | what | where |
//! |---|---|
//! | cursors, floors, acknowledgements, seeks; earlier generations | `stand.rs`, `position.rs`, `past.rs` |
//! | who reads, by what right | `seat.rs` |
//! | one read: decide, wait until something is to be sent | `poll.rs`, `waiting.rs` |
//! | records become pieces of an answer | `reading.rs`, `fetch.rs` |
//! | a window for them: gone on with or opened, within the day's quota | `opening.rs`, `pace.rs`, `daily.rs`, `turns.rs` |
//! | the answer, piece by piece under the window's lock | `answer.rs`, `window.rs` |
//! | an event stream, window after window | `stream.rs` |
//! | the answer as a container file, made whole before it leaves | `file.rs` |
//! | all windows; what ends them | `windows.rs`, `end.rs` |

mod answer;
mod daily;
mod end;
mod fetch;
mod file;
mod opening;
mod pace;
mod past;
mod poll;
mod position;
mod reading;
mod seat;
mod stand;
mod stream;
mod turns;
mod waiting;
mod window;
mod windows;

pub use answer::Delivery;
pub(super) use fetch::{READ, RECORDS, visible_ranges};
pub use file::File;
pub(super) use past::{Onward, Over, Past};
pub(super) use stand::skip_dead;
pub use stream::{EventStream, Frame};
pub(super) use windows::Windows;
