//! What the actions on an entry share: opening it for a change, and saving it with its event.

use super::act::{Act, Begun, Done, check_version};
use super::draft_resource::no_provider;
use crate::audit::What;
use crate::error::{Code, Refusal};
use crate::ids::{ResourceCode, ResourceNumber};
use crate::resource::lifecycle::{self, Act as Step};
use crate::resource::{Resource, ResourceFile};
use crate::store::{LockClass, ResourceChange, Store, Tx};

/// An entry held for a change: its state is already the one after the step, its version one above the stored.
pub(super) enum Opened {
    Fresh(Tx, Resource),
    Before(Done<Resource>),
}

/// Opens an entry for one step of its life.
pub(super) async fn open(
    store: &Store,
    act: &Act<'_>,
    code: &ResourceCode,
    step: Step,
    expected: Option<i32>,
) -> Result<Opened, Refusal> {
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return before(tx, &result.object).await.map(Opened::Before),
    };
    let number = tx.resource_number(code).await?.ok_or_else(not_found)?;
    if matches!(step, Step::Suspend | Step::Retire | Step::NewGeneration | Step::Revise) {
        // What ends something takes it alone before its change (protocol.md 3); so does what other items break, as a
        // grant that is being made comes before or after.
        tx.lock_exclusive(LockClass::Topic, number).await?;
    }
    let mut entry = tx.resource_to_change(number).await?.ok_or_else(not_found)?;
    lifecycle::may(act.caller, &entry, step, act.rules.four_eyes)?;
    if lifecycle::is_done(act.caller, &entry, step) {
        // The answer may have been lost: asked again it is the same.
        return Ok(Opened::Before(Done::already(entry)));
    }
    check_version(expected, entry.version)?;
    entry.suspended_by = lifecycle::suspender(act.caller, &entry, step);
    entry.state = lifecycle::apply(entry.state, step)?;
    entry.version += 1;
    Ok(Opened::Fresh(tx, entry))
}

/// Saves the entry, writes its events, commits.
pub(super) async fn save(
    mut tx: Tx,
    act: &Act<'_>,
    entry: Resource,
    step: Step,
    events: Vec<What>,
) -> Result<Done<Resource>, Refusal> {
    let change = ResourceChange { action: step.as_str(), by: act.caller.account, at: act.now };
    tx.update_resource(&entry, change).await?;
    act.finish(tx, 200, entry.number, events).await?;
    Ok(Done::now(entry))
}

/// The entry of an earlier call with the same idempotency key.
pub(super) async fn before(mut tx: Tx, object: &str) -> Result<Done<Resource>, Refusal> {
    match object.parse().ok().map(ResourceNumber) {
        Some(number) => Done::before(tx.resource(number).await?),
        None => Done::before(None),
    }
}

/// An entry keeps its provider: its code is given.
pub(super) async fn check_provider(
    tx: &mut Tx,
    entry: &Resource,
    file: &ResourceFile,
) -> Result<(), Refusal> {
    let provider = tx.agency_named(&file.provider).await?.ok_or_else(|| no_provider(&file.provider))?;
    if provider.id == entry.provider { Ok(()) } else { Err(fixed("provider", "提供方", "provider")) }
}

pub(super) fn fixed(path: &str, zh: &str, en: &str) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("{path}:代码已经给出,{zh}不能再改;请另行编制"),
        format!("{path}: the code is given, so the {en} cannot change; draft another entry"),
    )
    .with("path", path)
}

pub(super) fn not_found() -> Refusal {
    Refusal::not_found("信息资源", "resource")
}
