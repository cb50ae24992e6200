//! Managed connectors: an integrator applies and orders those of its agency; an operator sees the states of all.

mod apply;
mod list;
mod order;
mod remove;
mod show;
mod shown;

pub use apply::apply;
pub use list::list;
pub use order::{confirm, pause, reset, resume, start, stop};
pub use remove::remove;
pub use show::show;
pub use shown::Shown;
