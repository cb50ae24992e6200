//! The schemas of an entry become the next versions of its subjects.

use crate::actions::Act;
use crate::error::Refusal;
use crate::ids::TopicName;
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
