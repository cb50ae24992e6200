//! What changes the Schema Registry, one file per action, and the two questions that need its rules. What changes holds
//! the lock of its context from before it looks until it is done, and that of its agency's subjects where it may open
//! one; of what is read before that it makes sure that it still stands.

mod check_compatibility;
mod delete_config;
mod delete_context;
mod delete_mode;
mod delete_subject;
mod delete_version;
mod look_up_schema;
mod prepare;
pub(super) mod put_in_force;
mod register_schema;
mod resolve_schema;
mod resource_schema;
mod set_config;
mod set_mode;
mod setting;

pub use check_compatibility::{Against, check_compatibility};
pub use delete_config::delete_config;
pub use delete_context::delete_context;
pub use delete_mode::delete_mode;
pub use delete_subject::delete_subject;
pub use delete_version::delete_version;
pub use look_up_schema::look_up_schema;
pub use register_schema::{Registering, register_schema};
pub use resolve_schema::{resolve_schema, schema_tags};
pub use set_config::set_config;
pub use set_mode::set_mode;

use crate::audit::Digest;
use crate::error::Refusal;
use crate::ids::AgencyId;
use crate::registry::{Context, Subject};
use crate::store::{Lock, LockClass, Store, Tx};

async fn begin(store: &Store, context: &Context) -> Result<Tx, Refusal> {
    let mut tx = store.begin().await?;
    tx.lock_exclusive(LockClass::Registry, context).await?;
    Ok(tx)
}

/// The same, where a subject may be opened, which is counted with all others of its agency.
async fn begin_opening(store: &Store, context: &Context, by: AgencyId) -> Result<Tx, Refusal> {
    let mut tx = store.begin().await?;
    tx.lock_all_exclusive(vec![Lock::on(LockClass::Registry, context), opened_by(by)]).await?;
    Ok(tx)
}

/// The same, while what is referred to in other contexts stays as it is.
async fn begin_referring<'a>(
    store: &Store,
    context: &Context,
    opening: Option<AgencyId>,
    to: impl Iterator<Item = &'a Context>,
) -> Result<Tx, Refusal> {
    let mut tx = store.begin().await?;
    let shared = to.map(|context| Lock::on(LockClass::Registry, context)).collect();
    let own = [Some(Lock::on(LockClass::Registry, context)), opening.map(opened_by)];
    tx.lock_mixed(shared, own.into_iter().flatten().collect()).await?;
    Ok(tx)
}

/// What an agency opens, in whatever context: no context has this name.
fn opened_by(agency: AgencyId) -> Lock {
    Lock::on(LockClass::Registry, format!("opened by {agency}"))
}

/// What stands for a subject's name, which users choose, in an event.
fn named(subject: &Subject) -> Digest {
    Digest::of(subject.to_string().as_bytes())
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
