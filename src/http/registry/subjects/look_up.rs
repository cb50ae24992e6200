//! `POST /subjects/{subject}`: whether a schema stands under it, and as which version.

use axum::extract::State;
use axum::response::Response;
use changtong_catalog::actions::look_up_schema;
use changtong_catalog::registry::Candidate;

use super::versions::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::document::Document;
use crate::http::registry::place::Place;

pub async fn look_up(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
    Document(candidate): Document<Candidate>,
) -> Answer<Response> {
    let subject = place.meant(&app, &caller).await?;
    let (normalize, deleted) = (asked.flag("normalize"), asked.flag("deleted"));
    let found = look_up_schema(&app.store, &caller, &subject, &candidate, normalize, deleted).await?;
    shown(&app, &caller, &asked, &found).await
}
