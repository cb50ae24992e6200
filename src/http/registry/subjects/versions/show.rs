//! `GET /subjects/{subject}/versions/{version}`

use axum::extract::State;
use axum::response::Response;

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
) -> Answer<Response> {
    let version = place.version()?;
    let subject = place.meant(&app, &caller).await?;
    let found = app.store.registry_version(&caller, &subject, version, asked.flag("deleted")).await?;
    shown(&app, &caller, &asked, &found).await
}
