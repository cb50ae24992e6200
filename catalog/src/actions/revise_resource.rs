//! Changes metadata and items of a published entry, never its key or kind: what was proposed comes into force, by
//! another account than its writer's wherever four eyes are asked. Items that make another schema put it in force, if
//! that breaks nobody.

use super::act::{Act, Done, need_version};
use super::judge::{Look, Proposed, foresee, judge, looking_again};
use super::registry::put_in_force::put_in_force as next_version;
use super::resource::{Opened, check_provider, open, save};
use crate::audit::{Digest, ResourceProposalApproved, ResourceRevised, ResourceSchemaPutInForce, What};
use crate::compat::Work;
use crate::error::Refusal;
use crate::evolution::ItemChange;
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::proposal::{Revision, revision};
use crate::resource::{Resource, ResourceFile, ShareType, check};
use crate::store::{Judged, StandingConsent, Store, Tx};

/// `file` is one that the reviewer brings itself; else it is what waits.
pub async fn revise_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    file: Option<ResourceFile>,
) -> Result<Done<Resource>, Refusal> {
    need_version(expected)?;
    looking_again(|look| attempt(store, act, code, (look, expected, file.clone()))).await
}

async fn attempt(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    (look, expected, file): (Look, Option<i32>, Option<ResourceFile>),
) -> Result<Option<Done<Resource>>, Refusal> {
    let proposed = file.clone().map_or(Proposed::Waiting, |file| Proposed::File(Box::new(file)));
    let foreseen =
        foresee(store, act, code, (Step::Revise, expected), (look, proposed, &Work::default())).await?;
    let (mut tx, mut entry) = match open(store, act, code, Step::Revise, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(Some(done)),
    };
    let revision = revision(act.caller, &entry, file, act.rules.four_eyes)?;
    check_provider(&mut tx, &entry, &revision.file).await?;
    check::check_revision(&entry, &revision.file)?;
    let mut judged = None;
    if entry.file.items != revision.file.items {
        judged = judge(&mut tx, (&entry, act.now), &revision.file.items, foreseen).await?;
        if judged.is_none() {
            return Ok(None);
        }
    }
    entry.proposal = None;
    revise(tx, act, entry, (revision, judged)).await.map(Some)
}

/// Puts a file in the place of the entry's, and the schema that its items make in force if they were judged.
pub(super) async fn revise(
    mut tx: Tx,
    act: &Act<'_>,
    mut entry: Resource,
    (revision, judged): (Revision, Option<Judged>),
) -> Result<Done<Resource>, Refusal> {
    let Revision { file, written_by, proposed } = revision;
    entry.file = file;
    entry.written_by = written_by;
    entry.submitted_by = Some(written_by);
    entry.approved_by = Some(act.caller.account);
    let (resource, version) = (entry.number, entry.version);
    let revised = ResourceRevised { resource, version, file: Digest::of_file(&entry.file)? };
    let mut events: Vec<What> = vec![revised.into()];
    if let Some(proposed) = proposed {
        events.push(ResourceProposalApproved { resource, revised: version, proposed, written_by }.into());
    }
    if let Some(judged) = judged {
        judged.check()?;
        if judged.verdict.new_schema {
            events.push(put_in_force(&mut tx, act, &mut entry, &judged).await?.into());
        }
        let adds = judged.verdict.changes.iter().any(ItemChange::shows_more);
        if adds && entry.file.share_type == ShareType::Unconditional {
            // Whoever adds an item, or records to one, consents to its being shared: it is not the earlier head's word.
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
