//! A client of the API: what the commands, the demo and the bench call. Every write carries an idempotency key and is
//! sent again with the same one while the answer says that later may be better, so it is done once.

mod call;
mod deliver;
mod follow;
mod problem;
mod trust;

pub use call::{Client, Written};
pub use deliver::{Answered, Reading};
pub use follow::{Following, Said};
pub use problem::{CallError, Problem};
pub use trust::Trust;

#[cfg(test)]
mod tests;
