//! What the registry says of itself.

mod deployment;
mod id;
mod version;

pub use deployment::deployment;
pub use id::id;
pub use version::version;
