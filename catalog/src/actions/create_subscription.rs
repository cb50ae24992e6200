//! A named position within a grant.

use super::act::{Act, Begun, Done, taken};
use super::{grant, resource};
use crate::audit::SubscriptionCreated;
use crate::error::{Code, Refusal};
use crate::grant::{Subscription, decide};
use crate::ids::{Generation, GrantId, SubscriptionId};
use crate::problems::{Problems, line};
use crate::store::{Lock, LockClass, Store};

/// A subscription as asked for; `from` is resolved to offsets already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    pub grant: GrantId,
    pub name: String,
    pub deletes: bool,
    /// Digest of the view in force.
    pub view: i64,
    /// Whose offsets `position` holds.
    pub generation: Generation,
    /// Next offset per partition.
    pub position: Vec<i64>,
}

pub async fn create_subscription(
    store: &Store,
    act: &Act<'_>,
    new: NewSubscription,
) -> Result<Done<Subscription>, Refusal> {
    check_name(&new.name)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(mut tx, result) => {
            return Done::before(tx.subscription(result.object.parse()?).await?);
        }
    };
    // The end of the grant comes first, or finds this subscription; two at once are counted one after the other.
    let (grant, alone) = (Lock::on(LockClass::Grant, new.grant), Lock::on(LockClass::Quota, new.grant));
    tx.lock_mixed(vec![grant], vec![alone]).await?;
    let grant = tx.grant(new.grant).await?.ok_or_else(grant::not_found)?;
    let entry = tx.resource(grant.resource).await?.ok_or_else(resource::not_found)?;
    // A subscription is made where one could be read now, for any of the grant's purposes.
    let purpose = grant.purposes.first().map(|purpose| purpose.code.as_str());
    decide::deliver(act.caller, &grant, &entry, purpose, act.now).check()?;
    if new.deletes && !grant.delete_lines {
        return Err(Refusal::new(
            Code::DeletesForbidden,
            "该授权不供删除行:请以 deletes: false 订阅",
            "the grant allows no delete lines: subscribe with deletes: false",
        ));
    }
    if tx.count_subscriptions(grant.id).await? >= i64::from(act.rules.subscriptions) {
        return Err(full(act.rules.subscriptions));
    }
    let subscription = Subscription {
        id: SubscriptionId(act.ids.uuid(act.now)),
        grant: grant.id,
        name: new.name,
        deletes: new.deletes,
        seek_count: 0,
        view: new.view,
        generation: new.generation,
        position: new.position,
        created_at: act.now,
        acked_at: None,
    };
    tx.insert_subscription(&subscription).await.map_err(|refusal| {
        taken(refusal, "该授权已有同名订阅", "the grant has a subscription of this name", "name")
    })?;
    let event = SubscriptionCreated {
        subscription: subscription.id,
        grant: grant.id,
        resource: grant.resource,
        deletes: subscription.deletes,
        position: subscription.position.clone(),
    };
    act.finish(tx, 201, subscription.id, vec![event.into()]).await?;
    Ok(Done::now(subscription))
}

fn full(most: u32) -> Refusal {
    Refusal::new(
        Code::SubscriptionsFull,
        format!("该授权的订阅数已达上限 {most};请使用已有的订阅"),
        format!("the grant has {most} subscriptions, the most it may have; read with one of them"),
    )
    .with("limit", "subscriptions")
    .with("value", most)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    line(64).check(&mut problems, Code::Invalid, "name", name);
    problems.check()
}
