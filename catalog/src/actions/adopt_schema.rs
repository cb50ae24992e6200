//! A schema that a client of the registry brings becomes the resource's, as if its reviewer had revised the items: for
//! resources that allow it (`auto_register`). That is a single step also where four eyes are asked: a registry's client
//! waits for the schema's id, and two accounts have decided before that the reviewer may do so, when the entry that says
//! it was published or revised.

use super::act::{Act, Done};
use super::judge::{Look, Proposed, foresee, looking_again};
use super::resource::{Opened, open};
use super::revise_resource::revise;
use crate::compat::Work;
use crate::error::{Code, Refusal};
use crate::ids::{Generation, ResourceCode};
use crate::resource::lifecycle::Act as Step;
use crate::resource::proposal::Revision;
use crate::resource::{Resource, ResourceFile};
use crate::store::Store;

/// What is put in force is the text that the items make which `text` means: title, grade and what else the catalog
/// keeps of an item are in it. It is so in the generation that it was brought to, or not at all.
pub(super) async fn adopt_schema(
    store: &Store,
    act: &Act<'_>,
    of: (&ResourceCode, Generation),
    (text, work): (&str, &Work),
) -> Result<Done<Resource>, Refusal> {
    looking_again(|look| attempt(store, act, of, (look, text, work))).await
}

async fn attempt(
    store: &Store,
    act: &Act<'_>,
    (code, generation): (&ResourceCode, Generation),
    (look, text, work): (Look, &str, &Work),
) -> Result<Option<Done<Resource>>, Refusal> {
    let proposed = Proposed::Schema(text.to_owned());
    let foreseen = foresee(store, act, code, (Step::Revise, None), (look, proposed, work)).await?;
    let (mut tx, mut entry) = match open(store, act, code, Step::Revise, None).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(Some(done)),
    };
    if entry.generation != generation {
        return Err(moved_on(code));
    }
    let Some(foreseen) = foreseen else { return Ok(None) };
    let Some(found) = foreseen.settle(&mut tx, (&entry, act.now)).await? else { return Ok(None) };
    if found.items == entry.file.items {
        entry.version -= 1;
        return Ok(Some(Done::already(entry)));
    }
    if !entry.file.auto_register {
        return Err(by_revision_only(code));
    }
    let file = ResourceFile { items: found.items, ..entry.file.clone() };
    if let Some(waiting) = &mut entry.proposal {
        waiting.overtaken = true;
    }
    let revision = Revision { file, written_by: act.caller.account, proposed: None };
    revise(tx, act, entry, (revision, found.judged)).await.map(Some)
}

fn moved_on(code: &ResourceCode) -> Refusal {
    Refusal::new(
        Code::InvalidState,
        format!(
            "资源刚刚换代,原一代的模式不再变更;请向现行一代的主题登记,或用 changtong resource revise {} 修订",
            code.dashed()
        ),
        format!(
            "the resource has just got a new generation, and schemas of the one before change no more: register under \
             the subject of the one in force, or revise it by changtong resource revise {}",
            code.dashed()
        ),
    )
}

fn by_revision_only(code: &ResourceCode) -> Refusal {
    Refusal::new(
        Code::InvalidState,
        format!(
            "该资源不接受经注册表登记的新模式(auto_register = false);请先用 changtong resource apply FILE 提出修订,再由另一\
             账号用 changtong resource revise {} 使其生效",
            code.dashed()
        ),
        format!(
            "the resource takes no new schema by the registry (auto_register = false); propose the revision by changtong \
             resource apply FILE, and let another account put it in force by changtong resource revise {}",
            code.dashed()
        ),
    )
}
