//! `GET /config`, `GET /config/{subject}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::registry::Config;

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
) -> Answer<Json<Config>> {
    Ok(Json(app.store.registry_config(&caller, &place.named(), asked.flag("defaultToGlobal")).await?))
}
