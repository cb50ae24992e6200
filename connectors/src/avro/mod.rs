//! The codec: a resource's items compiled once into a `Plan`, a grant's terms into a `View`; each record passes
//! through in a single pass, without a tree of values. apache-avro is its oracle in the tests.

mod binary;
mod body;
pub mod container;
mod csv;
mod delete;
mod delivered;
mod json;
mod line;
mod plan;
mod problem;
mod scalar;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub use body::{BadRecord, Body, BodyLimits, Checked, Format, read_body};
pub use container::Room;
pub use plan::{Field, Plan};
pub use problem::{Problem, Reason};
pub use view::{GrantKeys, Passed, View};
