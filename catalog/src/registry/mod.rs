//! The Schema Registry as its clients know it: subjects with their versions, ids, settings, and what it says when it
//! does not do a thing. The versions of a resource's schemas are the versions of its subjects. Pure.

mod candidate;
mod config;
mod content;
mod decide;
mod in_force;
mod lookup;
mod mode;
mod owner;
mod registered;
mod rules;
mod subject;
mod tags;
mod wrong;

pub use candidate::{
    AVRO, Candidate, MOST_REFERENCED_BYTES, MOST_REFERENCES, Parsed, canonical, no_such_reference,
    normal_references, parse, referred,
};
pub use config::Config;
pub use content::{Beside, Content, MOST_BESIDE, Metadata, Reference, VERSION_PROPERTY};
pub use decide::{
    Compared, Earlier, Given, MOST_VERSIONS, Outcome, incompatible, next, not_looked_through, place,
    too_complex,
};
pub use in_force::{InForce, Part, Place};
pub use lookup::{Side, finds, same};
pub use mode::Mode;
pub use owner::{
    MOST_CONTEXTS, MOST_SUBJECTS, OfResource, Owner, by_revising, check_free, check_more_contexts,
    check_more_subjects, check_steward, check_writer,
};
pub use registered::{Known, Paging, Registered, Use, Version};
pub use rules::{Rule, RuleKind, RuleMode, RuleSet};
pub use subject::{Context, Deleted, Prefix, Subject, VersionId};
pub use tags::{Tagged, tagged};
pub use wrong::{Wrong, number};

#[cfg(test)]
mod tests;
