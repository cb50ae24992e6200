//! `GET /contexts`

use axum::Json;
use axum::extract::State;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;

pub async fn list(State(app): State<Web>, _: Registrant, asked: Asked) -> Answer<Json<Vec<String>>> {
    let prefix = asked.text("contextPrefix").unwrap_or_default();
    let contexts = app.store.registry_contexts().await?.into_iter().map(|context| context.to_string());
    let contexts = contexts.filter(|context| context.starts_with(prefix)).collect();
    Ok(Json(asked.paging()?.of(contexts)))
}
