//! `GET /subjects/{subject}/versions/{version}/referencedby`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::SchemaId;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn referenced_by(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Vec<SchemaId>>> {
    let (version, deleted) = (place.version()?, asked.flag("deleted"));
    let subject = place.meant(&app, &caller).await?;
    let ids = app.store.registry_referenced_by(&caller, &subject, version, deleted).await?;
    Ok(Json(asked.paging()?.of(ids)))
}
