//! `GET /mode`, `GET /mode/{subject}`

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn show(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Value>> {
    Ok(shown(app.store.registry_mode(&caller, &place.named(), asked.flag("defaultToGlobal")).await?))
}
