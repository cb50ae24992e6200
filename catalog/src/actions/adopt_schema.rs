//! A schema that a client of the registry brings becomes the resource's, as if its reviewer had revised the items: for
//! resources that allow it (`auto_register`).

use super::act::{Act, Done};
use super::resource::{Opened, open};
use super::revise_resource::revise;
use crate::error::{Code, Refusal};
use crate::ids::ResourceCode;
use crate::resource::lifecycle::Act as Step;
use crate::resource::{Resource, ResourceFile, check};
use crate::schema::adopt;
use crate::store::Store;

/// What is put in force is the text that the items make which `text` means: title, grade and what else the catalog
/// keeps of an item are in it.
pub async fn adopt_schema(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    text: &str,
) -> Result<Done<Resource>, Refusal> {
    let (tx, mut entry) = match open(store, act, code, Step::Revise, None).await? {
        Opened::Fresh(tx, entry) => (tx, entry),
        Opened::Before(done) => return Ok(done),
    };
    let items = adopt(text, &entry.file.items)?;
    if items == entry.file.items {
        entry.version -= 1;
        return Ok(Done::already(entry));
    }
    if !entry.file.auto_register {
        return Err(by_revision_only(code));
    }
    let file = ResourceFile { items, ..entry.file.clone() };
    check::check_revision(&entry, &file)?;
    revise(tx, act, entry, file).await
}

fn by_revision_only(code: &ResourceCode) -> Refusal {
    Refusal::new(
        Code::InvalidState,
        format!(
            "该资源不接受经注册表登记的新模式(auto_register = false);请用 changtong resource revise {} FILE",
            code.dashed()
        ),
        format!(
            "the resource takes no new schema by the registry (auto_register = false); use changtong resource revise {} FILE",
            code.dashed()
        ),
    )
}
