//! Subscriptions: named positions of a consumer's systems, seen as their grant is.

mod acknowledge;
mod create;
mod list;
mod place;
mod seek;
mod show;
mod shown;

pub use acknowledge::acknowledge;
use changtong_catalog::account::Caller;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::Subscription;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::store::Session;
pub use create::create;
pub use list::list;
pub use seek::seek;
pub use show::show;
pub use shown::Shown;

use super::grants;

/// The subscription, if the caller sees its grant.
async fn visible(
    session: &mut Session,
    caller: &Caller,
    id: SubscriptionId,
) -> Result<Subscription, Refusal> {
    let none = || Refusal::not_found("订阅", "subscription");
    let subscription = session.subscription(id).await?.ok_or_else(none)?;
    grants::visible(session, caller, subscription.grant).await.map_err(|refusal| match refusal.code {
        changtong_catalog::error::Code::NotFound => none(),
        _ => refusal,
    })?;
    Ok(subscription)
}
