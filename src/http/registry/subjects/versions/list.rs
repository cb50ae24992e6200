//! `GET /subjects/{subject}/versions`

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
) -> Answer<Json<Vec<i32>>> {
    let subject = place.meant(&app, &caller).await?;
    let versions = app.store.registry_versions(&caller, &subject, asked.deleted()).await?;
    Ok(Json(asked.paging()?.of(versions)))
}
