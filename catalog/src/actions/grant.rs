//! What the actions on a grant share: making one, opening one for a change, saving it with its event.

use super::act::{Act, Begun, Done, check_version};
use super::resource;
use crate::audit::{GrantCreated, What};
use crate::error::Refusal;
use crate::grant::lifecycle::{self, Act as Step};
use crate::grant::{Cause, Grant, make};
use crate::ids::GrantId;
use crate::lifecycle::Suspender;
use crate::request::{Agreement, Request};
use crate::resource::Resource;
use crate::store::{LockClass, Store, Tx};

pub(super) enum Opened {
    Fresh(Tx, Grant),
    Before(Done<Grant>),
}

/// Makes the grant that an agreed request ends in; answers its event.
pub(super) async fn create(
    tx: &mut Tx,
    act: &Act<'_>,
    request: &Request,
    entry: &Resource,
    agreement: &Agreement,
) -> Result<GrantCreated, Refusal> {
    let terms = make::make(request, entry, agreement, act.rules.zone, act.now)?;
    let number = tx.number_grant().await?;
    let schema = tx.register_schema(&terms.schema(number, entry)?, act.now).await?;
    let standing = tx.resource_standing(entry.number).await?.ok_or_else(resource::not_found)?;
    let in_force = standing.versions.last().ok_or_else(|| Refusal::not_found("模式", "schema"))?;
    let schema_version = in_force.version;
    let id = GrantId(act.ids.uuid(act.now));
    let given = make::Given {
        id,
        number,
        schema: schema.id,
        schema_version,
        handle_key: act.rules.handle_key.clone(),
        pseudonym_key: act.rules.pseudonym_key.clone(),
    };
    let grant = terms.grant(given);
    tx.insert_grant(&grant).await?;
    Ok(GrantCreated {
        grant: id,
        version: grant.version,
        grant_number: number,
        resource: grant.resource,
        consumer: grant.consumer,
        request: grant.request,
        schema: schema.id,
        fingerprint: schema.fingerprint.parse()?,
        terms: make::terms_digest(&grant)?,
        floor: grant.floor,
        delete_lines: grant.delete_lines,
        valid_until: grant.valid_until,
    })
}

/// Opens a grant for one step of its life, alone (protocol.md 3): its state is already the one after the step, its
/// version one above the stored. A step that was done before, for the same cause, is done: the answer may have been
/// lost.
pub(super) async fn open(
    store: &Store,
    act: &Act<'_>,
    id: GrantId,
    step: Step,
    expected: Option<i32>,
    cause: Option<Cause>,
) -> Result<Opened, Refusal> {
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(mut tx, _) => return Done::before(tx.grant(id).await?).map(Opened::Before),
    };
    tx.lock_exclusive(LockClass::Grant, id).await?;
    let mut grant = tx.grant_to_change(id).await?.ok_or_else(not_found)?;
    let entry = tx.resource(grant.resource).await?.ok_or_else(resource::not_found)?;
    lifecycle::may(act.caller, &grant, &entry, step)?;
    if lifecycle::is_done(act.caller, &grant, step, cause, act.now) {
        return Ok(Opened::Before(Done::already(grant)));
    }
    check_version(expected, grant.version)?;
    grant.state = lifecycle::apply(grant.state_at(act.now), step)?;
    grant.version += 1;
    grant.cause = cause;
    grant.suspended_by = (step == Step::Suspend).then(|| Suspender::of(act.caller));
    Ok(Opened::Fresh(tx, grant))
}

/// Saves the grant, writes its event, commits.
pub(super) async fn save(
    mut tx: Tx,
    act: &Act<'_>,
    grant: Grant,
    event: impl Into<What>,
) -> Result<Done<Grant>, Refusal> {
    tx.update_grant(&grant).await?;
    act.finish(tx, 200, grant.id, vec![event.into()]).await?;
    Ok(Done::now(grant))
}

pub(super) fn not_found() -> Refusal {
    Refusal::not_found("授权", "grant")
}
