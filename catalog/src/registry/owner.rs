//! Whose a subject is, who sees it, and who may change it. A subject of a resource is seen by whoever sees the entry's
//! items, and changes with the entry only; any other is its agency's, which reads it with authority, operator and
//! auditor.

use super::subject::Subject;
use super::wrong::Wrong;
use crate::account::{Caller, Role};
use crate::ids::{AgencyId, ResourceNumber};
use crate::resource::{ResourceState, ShareType};
use crate::visible::{self, Sight};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Agency(AgencyId),
    Resource(OfResource),
    /// Of a schema that a grant's records have.
    Grant {
        provider: AgencyId,
        consumer: AgencyId,
    },
}

/// What of an entry decides on its subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfResource {
    pub number: ResourceNumber,
    pub provider: AgencyId,
    pub state: ResourceState,
    pub share_type: ShareType,
}

/// Who may register, delete and set what is their agency's.
const WRITERS: [Role; 4] = [Role::Integrator, Role::Editor, Role::Reviewer, Role::Authority];

impl Owner {
    #[must_use]
    pub fn is_seen_by(&self, caller: &Caller) -> bool {
        let over_all =
            || [Role::Authority, Role::Operator, Role::Auditor].iter().any(|role| caller.is(*role));
        match self {
            Self::Agency(agency) => caller.agency == *agency || over_all(),
            Self::Grant { provider, consumer } => {
                [provider, consumer].contains(&&caller.agency) || over_all()
            }
            Self::Resource(of) => {
                visible::standing(caller, of.provider, of.state, of.share_type) == Sight::Whole
            }
        }
    }

    /// Whether the caller may do this to a subject of this owner.
    pub fn check_write(&self, caller: &Caller, what: &'static str, subject: &Subject) -> Result<(), Wrong> {
        match self {
            Self::Agency(agency) if caller.agency == *agency => check_writer(caller, what, subject),
            Self::Agency(_) if caller.is(Role::Authority) => Ok(()),
            Self::Resource(of) => of.check_write(caller, what, subject),
            Self::Agency(_) | Self::Grant { .. } => Err(Wrong::Denied(what, subject.to_string())),
        }
    }

    /// Whether a subject of this owner may stand for one of that. Not for another agency's: whoever may change both would
    /// change what he did not name.
    #[must_use]
    pub fn may_stand_for(&self, other: &Self) -> bool {
        !matches!((self, other), (Self::Agency(own), Self::Agency(other)) if own != other)
    }

    #[must_use]
    pub fn is(&self, agency: AgencyId) -> bool {
        match self {
            Self::Agency(own) => *own == agency,
            Self::Resource(of) => of.provider == agency,
            Self::Grant { .. } => false,
        }
    }

    /// Records carry the ids of a resource's schemas for as long as there are records: hidden is all that they can be.
    pub fn check_forgotten(&self, subject: &Subject, permanent: bool) -> Result<(), Wrong> {
        if !permanent || self.resource().is_none() {
            return Ok(());
        }
        Err(Wrong::NotPermitted(format!(
            "Records are read by the versions of subject {subject}: they may be deleted, not permanently / \
             已有数据须按主题的这些版本读取:可以删除,不能彻底删除"
        )))
    }

    #[must_use]
    pub fn resource(&self) -> Option<OfResource> {
        if let Self::Resource(of) = self { Some(*of) } else { None }
    }
}

impl OfResource {
    /// Nobody, until the entry is retired; then the head of its agency, or the authority, may clear away.
    fn check_write(&self, caller: &Caller, what: &'static str, subject: &Subject) -> Result<(), Wrong> {
        if self.state != ResourceState::Retired {
            return Err(by_revising(subject));
        }
        let head = caller.agency == self.provider && caller.is(Role::Reviewer);
        if head || caller.is(Role::Authority) {
            return Ok(());
        }
        Err(Wrong::Denied(what, subject.to_string()))
    }
}

/// Whether the caller may begin a subject, or change one of its own agency.
pub fn check_writer(caller: &Caller, what: &'static str, subject: &Subject) -> Result<(), Wrong> {
    if WRITERS.iter().any(|role| caller.is(*role)) {
        return Ok(());
    }
    Err(Wrong::Denied(what, subject.to_string()))
}

/// Whether the caller may set what holds for more than its own subjects.
pub fn check_steward(caller: &Caller, what: &'static str, subject: &Subject) -> Result<(), Wrong> {
    if caller.is(Role::Authority) || caller.is(Role::Operator) {
        return Ok(());
    }
    Err(Wrong::Denied(what, subject.to_string()))
}

/// A subject of a resource changes with the entry.
#[must_use]
pub fn by_revising(subject: &Subject) -> Wrong {
    Wrong::NotPermitted(format!(
        "Subject {subject} belongs to a resource and changes with its entry only: use `changtong resource revise` / \
         主题属于信息资源,只随目录条目变更:请使用 changtong resource revise"
    ))
}

/// The most contexts that an agency opens: names of contexts are everybody's.
pub const MOST_CONTEXTS: usize = 20;

/// Whether an agency that opened so many may open one more.
pub fn check_more_contexts(caller: &Caller, opened: usize, subject: &Subject) -> Result<(), Wrong> {
    if opened < MOST_CONTEXTS || check_steward(caller, "Write", subject).is_ok() {
        return Ok(());
    }
    Err(Wrong::NotPermitted(format!(
        "The agency has opened {MOST_CONTEXTS} contexts, and {} would be one more: use one that is there, delete one that \
         is empty (DELETE /contexts/NAME), or ask the authority or an operator to open it / \
         本机构已开设 {MOST_CONTEXTS} 个语境:请使用已有的语境,或删除空的语境(DELETE /contexts/名称),或由主管部门、运维员开设",
        subject.context
    )))
}

/// The most subjects of an agency: lists look at all of them.
pub const MOST_SUBJECTS: usize = 5000;

/// Whether an agency that has so many subjects may have one more.
pub fn check_more_subjects(there: usize) -> Result<(), Wrong> {
    if there < MOST_SUBJECTS {
        return Ok(());
    }
    Err(Wrong::NotPermitted(format!(
        "The agency has {MOST_SUBJECTS} subjects: delete for good what is not used / \
         本机构已有 {MOST_SUBJECTS} 个主题:请彻底删除不再使用的"
    )))
}

/// Names of the bus's own topics, in whatever context: their subjects are opened by the bus alone.
pub fn check_free(prefix: &str, subject: &Subject) -> Result<(), Wrong> {
    let name = subject.name.strip_prefix(prefix).unwrap_or(&subject.name);
    let ours = ["ct.r.", "ct.q.", "ct.g.", "ct.in."].iter().any(|own| name.starts_with(own));
    if ours {
        return Err(Wrong::NotPermitted(format!(
            "Subject {subject} is reserved for the topics of the bus; its schemas come from resources / \
             主题名保留给本系统的主题,其模式来自信息资源"
        )));
    }
    Ok(())
}
