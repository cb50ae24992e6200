//! A subscription as both sides of its grant see it.

use changtong_catalog::clock::Time;
use changtong_catalog::grant::Subscription;
use changtong_catalog::ids::{GrantId, SubscriptionId};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Shown {
    id: SubscriptionId,
    grant: GrantId,
    name: String,
    deletes: bool,
    seek_count: i32,
    /// Next offset per partition.
    position: Vec<i64>,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    acked_at: Option<Time>,
}

impl From<Subscription> for Shown {
    fn from(subscription: Subscription) -> Self {
        Self {
            id: subscription.id,
            grant: subscription.grant,
            name: subscription.name,
            deletes: subscription.deletes,
            seek_count: subscription.seek_count,
            position: subscription.position,
            created_at: subscription.created_at,
            acked_at: subscription.acked_at,
        }
    }
}
