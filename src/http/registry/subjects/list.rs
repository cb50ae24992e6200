//! `GET /subjects`

use axum::Json;
use axum::extract::State;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn list(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Vec<String>>> {
    let prefix = place.prefix(&asked, ":*:");
    let (deleted, paging) = (asked.deleted(), asked.paging()?);
    Ok(Json(app.store.registry_subjects(&caller, &prefix, deleted, paging).await?))
}
