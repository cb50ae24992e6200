//! The permit that `Log::append` and `Log::read` take by value: only the gate can make one, and it is not `Clone`,
//! so no record moves without a decision.

use std::time::Duration;

use changtong_catalog::ids::{Generation, ResourceNumber, TopicName};

/// Why records move. A closed list: copies into a grant's own topic come with their own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermitKind {
    Publish,
    /// For a reader of a grant of this version; what is read leaves inside a window alone.
    Deliver {
        grant_version: i32,
    },
    /// An owner reading its own records.
    Steward,
    /// A sample shown to whoever decides on a request.
    Preview,
    /// From one generation of a resource into the next.
    Copy,
    /// What records not settled yet show by their prefixes.
    Settle,
}

/// The right to one append or one read. Who has one may use it:
///
/// ```
/// use changtong_connectors::gate::{Permit, PermitKind};
/// fn of(permit: Permit) -> PermitKind { permit.kind() }
/// ```
///
/// Outside the gate nothing makes one,
///
/// ```compile_fail,E0624
/// use changtong_connectors::gate::Permit;
/// let make = Permit::mint;
/// ```
///
/// not even from another,
///
/// ```compile_fail,E0451
/// use changtong_connectors::gate::Permit;
/// fn of(permit: Permit) -> Permit { Permit { ..permit } }
/// ```
///
/// and there is no second use of one:
///
/// ```compile_fail,E0277
/// use changtong_connectors::gate::Permit;
/// fn twice(permit: impl Clone) {}
/// fn of(permit: Permit) { twice(permit) }
/// ```
#[derive(Debug)]
pub struct Permit {
    kind: PermitKind,
    topic: TopicName,
    resource: ResourceNumber,
    generation: Generation,
    most: usize,
    deadline: Duration,
}

impl Permit {
    pub(in crate::gate) fn mint(
        kind: PermitKind,
        topic: TopicName,
        resource: ResourceNumber,
        generation: Generation,
        most: usize,
        deadline: Duration,
    ) -> Self {
        Self { kind, topic, resource, generation, most, deadline }
    }

    /// For the tests of the log engines, which sit beside the gate and not inside it.
    #[cfg(test)]
    pub(crate) fn for_test(kind: PermitKind, topic: TopicName, most: usize, deadline: Duration) -> Self {
        Self::mint(kind, topic, ResourceNumber(1), Generation(1), most, deadline)
    }

    #[must_use]
    pub fn kind(&self) -> PermitKind {
        self.kind
    }

    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    #[must_use]
    pub fn resource(&self) -> ResourceNumber {
        self.resource
    }

    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The most records this permit moves.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// How long the move may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}
