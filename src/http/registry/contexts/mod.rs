//! Contexts: spaces of subjects and ids of their own.

mod list;
mod remove;

pub use list::list;
pub use remove::remove;
