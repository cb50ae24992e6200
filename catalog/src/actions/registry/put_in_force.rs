//! The schemas of an entry become the next versions of its subjects; a new generation's subjects begin with all that
//! were in force before.

use crate::actions::Act;
use crate::error::Refusal;
use crate::ids::{Generation, TopicName};
use crate::registry::Part;
use crate::resource::Resource;
use crate::store::Tx;

/// Called by whatever publishes, revises or moves an entry, once it has its schema ids, its version and its generation.
/// What is in force already stays as it is.
pub(in crate::actions) async fn put_in_force(
    tx: &mut Tx,
    act: &Act<'_>,
    entry: &Resource,
) -> Result<(), Refusal> {
    let topic = TopicName::records(&act.rules.topic_prefix, entry.number, entry.generation);
    for (part, schema) in [(Part::Value, entry.schema), (Part::Key, entry.key_schema)] {
        let Some(schema) = schema else { continue };
        let subject = (entry.number, entry.generation, part);
        tx.put_in_force(&topic, subject, (schema, entry.version), act.now).await?;
    }
    Ok(())
}

/// Records are copied into a new generation as they were written, so its subjects have every version of the one before,
/// under the same numbers. `entry` is of the new one already.
pub(in crate::actions) async fn carry_over(
    tx: &mut Tx,
    act: &Act<'_>,
    entry: &Resource,
    from: Generation,
) -> Result<(), Refusal> {
    let topic = TopicName::records(&act.rules.topic_prefix, entry.number, entry.generation);
    for part in Part::ALL {
        for before in tx.versions_of_resource(entry.number, from, part).await? {
            let subject = (entry.number, entry.generation, part);
            tx.put_in_force(&topic, subject, (before.schema, before.resource_version), act.now).await?;
        }
    }
    Ok(())
}
