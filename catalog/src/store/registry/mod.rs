//! What the Schema Registry keeps: schemas by id and context, subjects with their versions and settings. What a caller
//! may not see is answered as if it were not there.

mod contents;
mod guids;
mod in_force;
mod known;
mod lists;
mod names;
mod read;
mod references;
mod seen;
mod settings;
mod subjects;
mod versions;

pub use lists::{Listed, Versions};
pub(in crate::store) use seen::Eyes;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
