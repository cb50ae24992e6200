//! What is registered: a version of a subject, or a schema by its id with everything that uses it.

use std::sync::Arc;

use uuid::Uuid;

use super::content::Content;
use super::owner::Owner;
use super::subject::{Context, Subject};
use crate::account::Caller;
use crate::clock::Time;
use crate::ids::SchemaId;

/// A version of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub subject: Subject,
    pub version: i32,
    pub id: SchemaId,
    pub content: Arc<Content>,
    pub guid: Uuid,
    /// Hidden from lists; its id still stands.
    pub deleted: bool,
    pub at: Time,
}

/// A schema by its id; what it says never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub context: Context,
    pub id: SchemaId,
    pub content: Arc<Content>,
    pub guid: Uuid,
    pub at: Time,
    pub uses: Vec<Use>,
    /// Whether those are all that use it.
    pub whole: bool,
}

/// Who has a schema: a version of a subject, or a grant whose records have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub owner: Owner,
    /// None of a grant.
    pub version: Option<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub subject: Subject,
    pub version: i32,
    pub deleted: bool,
}

impl Known {
    /// Whether the caller sees anything that uses it.
    #[must_use]
    pub fn is_seen_by(&self, caller: &Caller) -> bool {
        self.uses.iter().any(|used| used.owner.is_seen_by(caller))
    }

    /// Whether whoever names a subject with the id can mean this one only: the subject has it, or the id is of a grant of
    /// the caller's, whose records name no subject.
    #[must_use]
    pub fn is_meant_by(&self, caller: &Caller, subject: &Subject) -> bool {
        let granted = |used: &Use| matches!(used.owner, Owner::Grant { .. }) && used.owner.is_seen_by(caller);
        self.version_in(subject).is_some() || self.uses.iter().any(granted)
    }

    /// The newest version that a subject has it as, one that stands before one that is deleted.
    #[must_use]
    pub fn version_in(&self, subject: &Subject) -> Option<i32> {
        let here = self.versions().filter(|used| used.subject == *subject);
        here.max_by_key(|used| (!used.deleted, used.version)).map(|used| used.version)
    }

    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.uses.iter().filter_map(|used| used.version.as_ref())
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paging {
    pub offset: usize,
    /// `None`: all there are.
    pub limit: Option<usize>,
}

impl Paging {
    #[must_use]
    pub fn of<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}
