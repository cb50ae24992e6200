//! `DELETE /config`, `DELETE /config/{subject}`: answers what was set.

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::delete_config;
use changtong_catalog::registry::Config;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn remove(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
) -> Answer<Json<Config>> {
    Ok(Json(delete_config(&app.store, &act(&app, &caller), &place.named()).await?))
}
