//! Changes metadata and items of a published entry, never its key or kind. Items that make another schema put it in
//! force, if that breaks nobody.

use super::act::{Act, Done, need_version};
use super::draft_resource::no_provider;
use super::registry::put_in_force::put_in_force as next_version;
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceRevised, ResourceSchemaPutInForce, What};
use crate::error::{Code, Refusal};
use crate::evolution::Fate;
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, ShareType, check};
use crate::store::{Judged, StandingConsent, Store, Tx};

pub async fn revise_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    file: ResourceFile,
) -> Result<Done<Resource>, Refusal> {
    need_version(expected)?;
    let (mut tx, entry) = match open(store, act, code, Step::Revise, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    check::check_revision(&entry, &file)?;
    let provider = tx.agency_named(&file.provider).await?.ok_or_else(|| no_provider(&file.provider))?;
    if provider.id != entry.provider {
        return Err(Refusal::new(
            Code::Invalid,
            "provider:已发布的信息资源不能改换提供方",
            "provider: a published resource keeps its provider",
        )
        .with("path", "provider"));
    }
    revise(tx, act, entry, file).await
}

/// Puts a file that was checked in the place of the entry's, and the schema that its items make in force.
pub(super) async fn revise(
    mut tx: Tx,
    act: &Act<'_>,
    mut entry: Resource,
    file: ResourceFile,
) -> Result<Done<Resource>, Refusal> {
    let same = entry.file.items == file.items;
    let judged = if same { None } else { Some(tx.judge(&entry, &file.items, act.now).await?) };
    entry.file = file;
    entry.written_by = act.caller.account;
    let revised = ResourceRevised {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
    };
    let mut events: Vec<What> = vec![revised.into()];
    if let Some(judged) = judged {
        judged.check()?;
        if judged.verdict.new_schema {
            events.push(put_in_force(&mut tx, act, &mut entry, &judged).await?.into());
        }
        let adds = judged.verdict.changes.iter().any(|change| change.fate == Fate::Added);
        if adds && entry.file.share_type == ShareType::Unconditional {
            // Whoever adds an item consents to its being shared: it is not the earlier head's word.
            let consent = StandingConsent { by: act.caller.account, at: act.now };
            tx.set_standing_consent(entry.number, Some(&consent)).await?;
        }
    }
    save(tx, act, entry, Step::Revise, events).await
}

/// The schema gets its id and is the next version of its subject.
async fn put_in_force(
    tx: &mut Tx,
    act: &Act<'_>,
    entry: &mut Resource,
    judged: &Judged,
) -> Result<ResourceSchemaPutInForce, Refusal> {
    let value = tx.register_schema(&judged.verdict.schema, act.now).await?;
    entry.schema = Some(value.id);
    next_version(tx, act, entry).await?;
    Ok(ResourceSchemaPutInForce {
        resource: entry.number,
        generation: entry.generation,
        schema: value.id,
        fingerprint: value.fingerprint.parse()?,
        schema_version: judged.versions.last().map_or(1, |before| before.version + 1),
    })
}
