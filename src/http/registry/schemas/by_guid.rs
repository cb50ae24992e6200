//! `GET /schemas/guids/{guid}`: for records that carry the guid in a header.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::formatted;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;
use crate::http::registry::shown::Shown;

pub async fn by_guid(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Response> {
    let known = app.store.registry_guid(&caller, place.guid()).await?;
    let text = formatted(&app, &caller, &asked, &known).await?;
    let shown = Shown::schema(&known);
    Ok(match &text {
        Some(text) => Json(shown.written_as(text)).into_response(),
        None => Json(shown).into_response(),
    })
}
