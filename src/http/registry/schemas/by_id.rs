//! `GET /schemas/ids/{id}`: what whoever meets an id in a record asks.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::actions::schema_tags;

use super::formatted;
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
    let subject = place.meant_by(&asked, &app, &caller).await?;
    let known = app.store.registry_schema(&caller, place.id()?.0, Some(&subject)).await?;
    let text = formatted(&app, &caller, &asked, &known).await?;
    let mut shown = Shown::schema(&known);
    if let Some(text) = &text {
        shown = shown.written_as(text);
    }
    if asked.text("referenceFormat").is_some_and(|format| format.eq_ignore_ascii_case("qualified")) {
        shown = shown.qualified(&known.context);
    }
    if let Some(wanted) = asked.tags() {
        let tags = schema_tags(&app.store, &caller, &known.context, &known.content, wanted).await?;
        shown.schema_tags = Some(tags.into_iter().map(Into::into).collect());
    }
    if asked.flag("fetchMaxId") {
        shown.max_id = Some(app.store.registry_max_id(&known.context).await?);
    }
    Ok(Json(shown).into_response())
}
