//! `GET /schemas/ids/{id}/subjects`

use axum::Json;
use axum::extract::State;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn subjects(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Vec<String>>> {
    let uses = super::versions::uses(&app, &caller, &place, &asked).await?;
    let mut subjects: Vec<String> = uses.into_iter().map(|(subject, _)| subject.to_string()).collect();
    subjects.dedup();
    Ok(Json(asked.paging()?.of(subjects)))
}
