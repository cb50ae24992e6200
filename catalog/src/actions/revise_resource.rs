//! Changes metadata of a published entry, never its items, key or kind.

use super::act::{Act, Done, need_version};
use super::draft_resource::no_provider;
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceRevised};
use crate::error::{Code, Refusal};
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, check};
use crate::store::Store;

pub async fn revise_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    file: ResourceFile,
) -> Result<Done<Resource>, Refusal> {
    need_version(expected)?;
    let (mut tx, mut entry) = match open(store, act, code, Step::Revise, expected).await? {
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
    entry.file = file;
    entry.written_by = act.caller.account;
    let event = ResourceRevised {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
    };
    save(tx, act, entry, Step::Revise, vec![event.into()]).await
}
