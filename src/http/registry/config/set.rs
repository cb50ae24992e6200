//! `PUT /config`, `PUT /config/{subject}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::set_config;
use serde_json::{Map, Value};

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::caller::Registrant;
use crate::http::registry::document::Document;
use crate::http::registry::place::Place;

pub async fn set(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    Document(request): Document<Map<String, Value>>,
) -> Answer<Json<Map<String, Value>>> {
    let act = act(&app, &caller);
    let config = set_config(&app.store, &act, &place.named(), &request).await?;
    Ok(Json(config.as_request()))
}
