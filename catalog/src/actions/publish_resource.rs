//! Puts an entry into the catalog: its schemas get their ids and are the first versions of its subjects, and of an
//! unconditional entry this is its head's standing consent (Decree 809 art. 20), which automatic grants cite.

use super::act::{Act, Done};
use super::registry::put_in_force::put_in_force;
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourcePublished};
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::ports::SchemaText;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ShareType};
use crate::schema;
use crate::store::{StandingConsent, Store, Tx};

pub async fn publish_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
) -> Result<Done<Resource>, Refusal> {
    let (mut tx, mut entry) = match open(store, act, code, Step::Publish, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let value = register(&mut tx, act, &mut entry).await?;
    put_in_force(&mut tx, act, &entry).await?;
    entry.published_at = Some(act.now);
    if entry.file.share_type == ShareType::Unconditional {
        let consent = StandingConsent { by: act.caller.account, at: act.now };
        tx.set_standing_consent(entry.number, Some(&consent)).await?;
    }
    let event = ResourcePublished {
        resource: entry.number,
        version: entry.version,
        generation: entry.generation,
        share_type: entry.file.share_type,
        file: Digest::of_file(&entry.file)?,
        schema: entry.schema,
        fingerprint: value.map(|schema| schema.fingerprint.parse()).transpose()?,
        key_schema: entry.key_schema,
    };
    save(tx, act, entry, Step::Publish, vec![event.into()]).await
}

/// Gives the entry's schemas their ids. A withheld entry may have no items, and then has none.
async fn register(tx: &mut Tx, act: &Act<'_>, entry: &mut Resource) -> Result<Option<SchemaText>, Refusal> {
    let file = &entry.file;
    if file.items.is_empty() {
        return Ok(None);
    }
    let value = schema::value_schema(entry.number, &file.items)?;
    let value = tx.register_schema(&value, act.now).await?;
    if let Some(key) = schema::key_schema(entry.number, &file.items, &file.key)? {
        entry.key_schema = Some(tx.register_schema(&key, act.now).await?.id);
    }
    entry.schema = Some(value.id);
    Ok(Some(value))
}
