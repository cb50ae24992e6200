//! The closed list of event codes, and the one type that holds any event's own fields.

use serde_json::{Map, Value};

use super::facts_of::*;

/// What each kind of event knows of itself.
pub(super) trait Typed {
    /// Names of its fields, as they stand in the body.
    #[cfg(test)]
    const FIELDS: &'static [&'static str];
    fn put(&self, object: &mut Map<String, Value>);
    #[cfg(test)]
    fn sample() -> Self;
}

macro_rules! codes {
    ($($name:ident $text:literal)*) => {
        /// Every code there is; docs/events.md says what each means, and a golden file fixes its bytes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventCode { $($name),* }

        impl EventCode {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            #[cfg(test)]
            pub(super) fn fields(self) -> &'static [&'static str] {
                match self { $(Self::$name => $name::FIELDS),* }
            }

            #[cfg(test)]
            pub(super) fn sample(self) -> What {
                match self { $(Self::$name => What::$name($name::sample())),* }
            }
        }

        /// The fields of an event, by its code.
        #[derive(Debug, Clone, PartialEq)]
        pub enum What { $($name($name)),* }

        impl What {
            #[must_use]
            pub const fn code(&self) -> EventCode {
                match self { $(Self::$name(_) => EventCode::$name),* }
            }

            pub(super) fn put(&self, object: &mut Map<String, Value>) {
                match self { $(Self::$name(fields) => fields.put(object)),* }
            }
        }

        $(impl From<$name> for What {
            fn from(fields: $name) -> Self {
                Self::$name(fields)
            }
        })*
    };
}

codes! {
    AgencyAdded "agency.added"
    AgencyChanged "agency.changed"
    AgencySuspended "agency.suspended"
    AgencyResumed "agency.resumed"
    AgencyRemoved "agency.removed"
    AccountAdded "account.added"
    AccountSuspended "account.suspended"
    AccountResumed "account.resumed"
    KeyIssued "key.issued"
    KeyRevoked "key.revoked"
    ResourceDrafted "resource.drafted"
    ResourceChanged "resource.changed"
    ResourceSubmitted "resource.submitted"
    ResourceApproved "resource.approved"
    ResourceRejected "resource.rejected"
    ResourcePublished "resource.published"
    ResourceSuspended "resource.suspended"
    ResourceResumed "resource.resumed"
    ResourceProposed "resource.proposed"
    ResourceProposalRejected "resource.proposal_rejected"
    ResourceProposalApproved "resource.proposal_approved"
    ResourceRevised "resource.revised"
    ResourceSchemaPutInForce "resource.schema_put_in_force"
    ResourceRetired "resource.retired"
    ResourceNewGeneration "resource.new_generation"
    RequestDrafted "request.drafted"
    RequestChanged "request.changed"
    RequestSubmitted "request.submitted"
    RequestNeedMaterial "request.need_material"
    RequestAgreed "request.agreed"
    RequestRefused "request.refused"
    RequestWithdrawn "request.withdrawn"
    GrantCreated "grant.created"
    GrantSuspended "grant.suspended"
    GrantResumed "grant.resumed"
    GrantRevoked "grant.revoked"
    GrantSchemaMoved "grant.schema_moved"
    GrantExpired "grant.expired"
    SubscriptionCreated "subscription.created"
    TopicWanted "topic.wanted"
    Published "publish"
    DeliverOpened "deliver.opened"
    DeliverClosed "deliver.closed"
    DeliverAcked "deliver.acked"
    DeliverSought "deliver.sought"
    StewardRead "steward.read"
    PreviewShown "preview"
    QuarantineAdded "quarantine.added"
    QuarantineShown "quarantine.shown"
    QuarantineReplayed "quarantine.replayed"
    QuarantineDiscarded "quarantine.discarded"
    Settled "settled"
    LogRolledBack "log.rolled_back"
    LogReconciled "log.reconciled"
    Refused "refused"
    ConnectorCreated "connector.created"
    ConnectorChanged "connector.changed"
    ConnectorMoved "connector.state"
    ConnectorReset "connector.reset"
    ConnectorConfirmed "connector.confirmed"
    ConnectorRemoved "connector.removed"
    SchemaRegistered "schema.registered"
    SchemaDeleted "schema.deleted"
    RegistryConfigured "registry.config"
    RegistryModeSet "registry.mode"
    RegistryContextDeleted "registry.context_deleted"
    ServerStarted "server.started"
    ServerStopped "server.stopped"
    ServerLease "server.lease"
}
