//! `GET /schemas/guids/{guid}/ids`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::SchemaId;
use changtong_catalog::registry::Context;
use serde_json::{Value, json};

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn ids(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
) -> Answer<Json<Vec<Value>>> {
    let ids = app.store.registry_guid_ids(&caller, place.guid()).await?;
    let shown = |(context, id): (Context, SchemaId)| json!({ "context": context.as_str(), "id": id });
    Ok(Json(ids.into_iter().map(shown).collect()))
}
