//! A file for what is published waits beside the entry, in the place of what waited before; `If-Match` guards that. The
//! entry's own file is what takes a proposal back.

use super::act::{Act, Done};
use super::judge::{Foreseen, judge};
use super::resource::save;
use crate::audit::{Digest, ResourceProposed};
use crate::error::Refusal;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Proposal, Resource, ResourceFile, check};
use crate::store::Tx;

/// What it would break is told now, although it is judged anew when it comes into force. Nothing where what was foreseen
/// does not hold any more.
pub(super) async fn propose(
    mut tx: Tx,
    act: &Act<'_>,
    mut entry: Resource,
    (file, foreseen): (ResourceFile, Option<Foreseen>),
) -> Result<Option<Done<Resource>>, Refusal> {
    check::check_revision(&entry, &file)?;
    let said = match &entry.proposal {
        Some(waiting) => waiting.file == file && !waiting.overtaken,
        None => entry.file == file,
    };
    if said {
        entry.version -= 1;
        return Ok(Some(Done::already(entry)));
    }
    if entry.file.items != file.items {
        match judge(&mut tx, (&entry, act.now), &file.items, foreseen).await? {
            Some(judged) => judged.check()?,
            None => return Ok(None),
        }
    }
    let event =
        ResourceProposed { resource: entry.number, version: entry.version, file: Digest::of_file(&file)? };
    entry.proposal = (file != entry.file).then_some(Proposal {
        file,
        written_by: act.caller.account,
        written_at: act.now,
        version: entry.version,
        overtaken: false,
    });
    save(tx, act, entry, Step::Change, vec![event.into()]).await.map(Some)
}
