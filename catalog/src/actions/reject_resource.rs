//! Sends an entry back to its writer, with the reason; of what is published, drops the revision that waits.

use super::act::{Act, Done};
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceProposalRejected, ResourceRejected, What};
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceState};
use crate::store::Store;

pub async fn reject_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    reason: Option<&str>,
) -> Result<Done<Resource>, Refusal> {
    let (mut tx, mut entry) = match open(store, act, code, Step::Reject, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let reason = act.note(&mut tx, ("resource", &entry.number), "reject", reason).await?;
    let event = if entry.state == ResourceState::Draft {
        back_to_draft(&mut entry, reason)?
    } else {
        drop_proposal(&mut entry, reason)?
    };
    save(tx, act, entry, Step::Reject, vec![event]).await
}

fn back_to_draft(entry: &mut Resource, reason: Option<Digest>) -> Result<What, Refusal> {
    entry.submitted_by = None;
    entry.approved_by = None;
    let file = Digest::of_file(&entry.file)?;
    Ok(ResourceRejected { resource: entry.number, version: entry.version, file, reason }.into())
}

fn drop_proposal(entry: &mut Resource, reason: Option<Digest>) -> Result<What, Refusal> {
    let waiting = entry.waiting()?;
    let (proposed, file) = (waiting.version, Digest::of_file(&waiting.file)?);
    let (resource, version) = (entry.number, entry.version);
    entry.proposal = None;
    Ok(ResourceProposalRejected { resource, version, proposed, file, reason }.into())
}
