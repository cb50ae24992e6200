//! `GET /schemas`: versions of many subjects at once.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::registry::Paging;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;
use crate::http::registry::shown::Shown;

/// The most of one answer.
const MOST: usize = 1000;

pub async fn list(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Response> {
    let Paging { offset, limit } = asked.paging()?;
    let paging = Paging { offset, limit: Some(limit.unwrap_or(MOST).min(MOST)) };
    let (prefix, deleted) = (place.prefix(&asked, ":*:"), asked.deleted());
    let handler = asked.text("ruleType");
    let latest = asked.flag("latestOnly");
    let schemas = app.store.registry_schemas(&caller, &prefix, deleted, latest, handler, paging).await?;
    Ok(Json(schemas.iter().map(Shown::version).collect::<Vec<_>>()).into_response())
}
