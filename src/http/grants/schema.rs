//! `GET /grants/{id}/schema`: the derived schema that the consumer's records have, and what the newest would change.

use axum::Json;
use axum::extract::State;
use changtong_catalog::error::Refusal;
use changtong_catalog::evolution::{ItemChange, derived_changes};
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::GrantId;
use changtong_catalog::store::Session;
use serde::Serialize;

use super::{visible, without_entry};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::resources::Schema;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct Held {
    #[serde(flatten)]
    schema: Schema,
    /// Of the resource's schema, from which it was derived.
    version: i32,
    newest: i32,
    /// What the newest derived schema shows otherwise.
    differences: Vec<ItemChange>,
}

pub async fn schema(State(app): State<Web>, Known(caller): Known, At(id): At<GrantId>) -> Answer<Json<Held>> {
    let mut session = app.store.read().await?;
    let (grant, _) = visible(&mut session, &caller, id).await?;
    Ok(Json(held(&mut session, &grant).await?))
}

/// The derived schema that a grant holds.
pub(super) async fn held(session: &mut Session, grant: &Grant) -> Result<Held, Refusal> {
    let none = || Refusal::not_found("模式", "schema");
    let standing = session.resource_standing(grant.resource).await?.ok_or_else(without_entry)?;
    let newest = standing.versions.last().ok_or_else(none)?;
    let held = standing.versions.iter().find(|version| version.version == grant.schema_version);
    let held = held.ok_or_else(none)?;
    let text = session.schema(grant.schema).await?.ok_or_else(none)?;
    Ok(Held {
        schema: text.try_into()?,
        version: held.version,
        newest: newest.version,
        differences: derived_changes(grant, &held.items, &newest.items),
    })
}
