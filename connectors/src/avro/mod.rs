//! The codec: a resource's items compiled once into a `Plan`, a grant's terms into a `View`; each record passes
//! through in a single pass, without a tree of values and without memory of its own for each field. apache-avro is its
//! oracle in the tests.

mod binary;
mod body;
pub mod container;
mod csv;
mod delivered;
mod json;
mod line;
mod owner;
mod plan;
mod problem;
mod row;
mod scalar;
mod view;
mod written;

#[cfg(test)]
pub(crate) mod tests;

pub use body::{BadRecord, Body, BodyLimits, Checked, Format, read_body};
pub use container::Room;
pub use plan::{Field, Plan};
pub use problem::{Problem, Reason};
pub use view::{GrantKeys, Passed, View};
pub use written::Places;
