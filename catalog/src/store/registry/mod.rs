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
mod settings;
mod subjects;
mod versions;

pub(crate) use contents::Stored;
pub(crate) use subjects::SubjectRow;
