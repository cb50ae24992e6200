//! Schemas by what identifies them, whatever subjects they stand under.

mod types;

pub use types::types;
