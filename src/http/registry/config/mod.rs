//! What new schemas are held to and given: of one subject, of a context, of everything.

mod remove;
mod set;
mod show;

pub use remove::remove;
pub use set::set;
pub use show::show;
