//! `GET /contexts`: those in which the caller sees a subject.

use axum::Json;
use axum::extract::State;
use changtong_catalog::registry::Context;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;

pub async fn list(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    asked: Asked,
) -> Answer<Json<Vec<String>>> {
    let prefix = asked.text("contextPrefix").unwrap_or_default();
    let contexts = app.store.registry_contexts(&caller).await?;
    let names = contexts.iter().map(Context::to_string).filter(|name| name.starts_with(prefix));
    let contexts = names.collect();
    Ok(Json(asked.paging()?.of(contexts)))
}
