//! Accounts of an agency: seen by the agency itself and by the authority, which makes and suspends them.

mod add;
mod list;
mod resume;
mod suspend;

pub use add::add;
pub use list::list;
pub use resume::resume;
pub use suspend::suspend;
