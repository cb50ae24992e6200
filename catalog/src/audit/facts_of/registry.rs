//! Events of the Schema Registry. Users choose the names of subjects, so an event holds a name's digest.

use super::events;
use crate::audit::fact::Digest;
use crate::ids::SchemaId;
use crate::registry::Mode;

events! {
    /// A version of a subject that belongs to no resource.
    SchemaRegistered {
        subject: Digest,
        subject_version: i32,
        schema: SchemaId,
        fingerprint: Digest,
    }
    SchemaDeleted {
        subject: Digest,
        versions: Vec<i32>,
        /// Taken away, not only hidden.
        permanent: bool,
    }
    RegistryConfigured {
        subject: Digest,
        /// Absent: taken away.
        file: Option<Digest>,
    }
    RegistryModeSet {
        subject: Digest,
        /// Absent: taken away.
        mode: Option<Mode>,
    }
    RegistryContextDeleted {
        subject: Digest,
    }
}
