//! `POST /subjects/{subject}/versions`

use axum::extract::State;
use axum::response::Response;
use changtong_catalog::actions::{Registering, register_schema};
use changtong_catalog::registry::Candidate;

use super::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::document::Document;
use crate::http::registry::place::Place;

pub async fn register(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
    Document(candidate): Document<Candidate>,
) -> Answer<Response> {
    let how = Registering { normalize: asked.flag("normalize"), force: asked.flag("force") };
    let subject = place.meant_to_change(&app, &caller).await?;
    let act = act(&app, &caller);
    let registered = register_schema(&app.store, &act, &subject, &candidate, how).await?;
    shown(&app, &caller, &asked, &registered).await
}
