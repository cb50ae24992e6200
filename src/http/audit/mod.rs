//! Evidence: every event, for auditors.

mod events;

pub use events::events;
