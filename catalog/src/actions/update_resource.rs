//! Puts a new file in the place of a draft's.

use super::act::{Act, Done, need_version};
use super::draft_resource::no_provider;
use super::resource::{Opened, open, save};
use crate::audit::{Digest, ResourceChanged};
use crate::error::{Code, Refusal};
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, check};
use crate::store::Store;

pub async fn update_resource(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    file: ResourceFile,
) -> Result<Done<Resource>, Refusal> {
    need_version(expected)?;
    check::check(&file)?;
    let (mut tx, mut entry) = match open(store, act, code, Step::Change, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let provider = tx.agency_named(&file.provider).await?.ok_or_else(|| no_provider(&file.provider))?;
    if provider.id != entry.provider {
        return Err(fixed("provider", "提供方", "provider"));
    }
    if file.class != entry.file.class {
        return Err(fixed("class", "分类代码", "class"));
    }
    entry.file = file;
    // Four eyes look at who wrote what is there now.
    entry.written_by = act.caller.account;
    let event = ResourceChanged {
        resource: entry.number,
        version: entry.version,
        file: Digest::of_file(&entry.file)?,
    };
    save(tx, act, entry, Step::Change, vec![event.into()]).await
}

fn fixed(path: &str, zh: &str, en: &str) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("{path}:代码已经给出,{zh}不能再改;请另行编制"),
        format!("{path}: the code is given, so the {en} cannot change; draft another entry"),
    )
    .with("path", path)
}
