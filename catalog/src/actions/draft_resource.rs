//! Writes a new entry: number and code are given here, for good.

use super::act::{Act, Begun, Done};
use super::resource::before;
use crate::audit::{Digest, ResourceDrafted};
use crate::error::{Code, Refusal};
use crate::ids::{ClassCode, Generation};
use crate::resource::{Resource, ResourceFile, ResourceState, check, lifecycle};
use crate::store::{ResourceChange, Store};

pub async fn draft_resource(
    store: &Store,
    act: &Act<'_>,
    file: ResourceFile,
) -> Result<Done<Resource>, Refusal> {
    check::check(&file)?;
    let class: ClassCode = file.class.parse()?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return before(tx, &result.object).await,
    };
    let provider = tx.agency_named(&file.provider).await?.ok_or_else(|| no_provider(&file.provider))?;
    lifecycle::may_draft(act.caller, provider.id)?;
    let (number, code) = tx.number_resource(&class).await?;
    let entry = Resource {
        number,
        code,
        provider: provider.id,
        state: ResourceState::Draft,
        version: 1,
        generation: Generation(1),
        file,
        written_by: act.caller.account,
        submitted_by: None,
        approved_by: None,
        schema: None,
        key_schema: None,
        published_at: None,
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    };
    let change = ResourceChange { action: "draft", by: act.caller.account, at: act.now };
    tx.insert_resource(&entry, change).await?;
    let event = ResourceDrafted {
        resource: number,
        version: entry.version,
        resource_code: entry.code.clone(),
        provider: entry.provider,
        kind: entry.file.kind,
        file: Digest::of_file(&entry.file)?,
    };
    act.finish(tx, 201, number, vec![event.into()]).await?;
    Ok(Done::now(entry))
}

pub(super) fn no_provider(name: &str) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("provider:没有代码或别名为“{name}”的机构"),
        format!("provider: no agency has the code or alias \"{name}\""),
    )
    .with("path", "provider")
}
