//! `DELETE /mode`, `DELETE /mode/{subject}`: answers what was set.

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::delete_mode;
use serde_json::{Value, json};

use super::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn remove(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Value>> {
    let act = act(&app, &caller);
    let old = delete_mode(&app.store, &act, &place.named(), asked.flag("recursive")).await?;
    Ok(old.map_or_else(|| Json(json!({})), shown))
}
