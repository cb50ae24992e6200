//! `GET /schemas/ids/{id}`: what whoever meets an id in a record asks.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::{formatted, subject};
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;
use crate::http::registry::shown::Shown;

pub async fn by_id(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Response> {
    let subject = subject(&place, &asked);
    let known = app.store.registry_schema(&caller, place.id()?.0, Some(&subject)).await?;
    let text = formatted(&app, &asked, &known).await?;
    let mut shown = Shown::schema(&known);
    if let Some(text) = &text {
        shown = shown.written_as(text);
    }
    if asked.flag("fetchMaxId") {
        shown.max_id = Some(app.store.registry_max_id(&known.context).await?);
    }
    Ok(Json(shown).into_response())
}
