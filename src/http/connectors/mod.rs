//! Connectors, run by the server or in a process of their own: an integrator applies and orders those of its agency; an
//! operator sees the states of all.

mod apply;
mod list;
mod order;
mod position;
mod process;
mod remove;
mod show;
mod shown;
mod status;

pub use apply::apply;
pub use list::list;
pub use order::{confirm, pause, reset, resume, start, stop};
pub use position::position;
pub use process::process_router;
pub use remove::remove;
pub use show::show;
pub use shown::Shown;
pub use status::status;
