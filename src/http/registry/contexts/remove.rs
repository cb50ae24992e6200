//! `DELETE /contexts/{context}`: one without subjects.

use axum::extract::State;
use changtong_catalog::actions::delete_context;
use http::StatusCode;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn remove(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
) -> Answer<StatusCode> {
    delete_context(&app.store, &act(&app, &caller), &place.context).await?;
    Ok(StatusCode::NO_CONTENT)
}
