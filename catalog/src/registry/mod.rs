//! The Schema Registry as its clients know it: subjects with their versions, ids, settings, and what it says when it
//! does not do a thing. The versions of a resource's schemas are the versions of its subjects. Pure.

mod content;
mod in_force;
mod rules;

pub use content::{Beside, Content, Metadata, Reference, VERSION_PROPERTY};
pub use in_force::{InForce, Part};
pub use rules::{Rule, RuleKind, RuleMode, RuleSet};
