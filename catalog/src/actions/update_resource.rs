//! Puts a new file in the place of a draft's; for what is published it is proposed.

use super::act::{Act, Done, need_version};
use super::judge::{Look, Proposed, foresee, looking_again};
use super::propose_revision::propose;
use super::resource::{Opened, check_provider, fixed, open, save};
use crate::audit::{Digest, ResourceChanged};
use crate::compat::Work;
use crate::error::Refusal;
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, ResourceState, check};
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
    looking_again(|look| attempt(store, act, code, (look, expected, file.clone()))).await
}

async fn attempt(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    (look, expected, file): (Look, Option<i32>, ResourceFile),
) -> Result<Option<Done<Resource>>, Refusal> {
    let proposed = Proposed::File(Box::new(file.clone()));
    let foreseen =
        foresee(store, act, code, (Step::Change, expected), (look, proposed, &Work::default())).await?;
    let (mut tx, mut entry) = match open(store, act, code, Step::Change, expected).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(Some(done)),
    };
    check_provider(&mut tx, &entry, &file).await?;
    if entry.state != ResourceState::Draft {
        return propose(tx, act, entry, (file, foreseen)).await;
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
    save(tx, act, entry, Step::Change, vec![event.into()]).await.map(Some)
}
