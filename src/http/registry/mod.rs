//! The Schema Registry API that Kafka's clients know (docs/compatibility.md), at the root of a listener of its own and
//! under `/registry` of the API's. `router.rs` is its table of contents.

mod caller;
mod development;
mod error;
mod media;
mod metadata;
mod root;
mod router;
mod schemas;

pub use caller::Callers;
pub use router::{ROUTES, router, turning_away};
