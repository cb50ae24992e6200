//! Changes metadata and items of a published entry, never its key or kind. Items that make another schema put it in
//! force, if that breaks nobody.

use super::act::{Act, Done, need_version};
use super::draft_resource::no_provider;
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceRevised, What};
use crate::error::{Code, Refusal};
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, check};
use crate::store::{Store, Tx};

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
    let judged = match entry.file.items == file.items {
        true => None,
        false => Some(tx.judge(&entry, &file.items, act.now).await?),
    };
    entry.file = file;
    entry.written_by = act.caller.account;
    let revised = ResourceRevised {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
    };
    let events: Vec<What> = vec![revised.into()];
    if let Some(judged) = judged {
        judged.check()?;
        if judged.verdict.new_schema {
            return Err(no_versions_yet());
        }
    }
    save(tx, act, entry, Step::Revise, events).await
}

fn no_versions_yet() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "items:这一变更会产生新的模式,目前还不能生效",
        "items: the change makes another schema, which cannot be put in force yet",
    )
    .with("path", "items")
}
