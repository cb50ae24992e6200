//! `GET /`: the registry lives.

use axum::Json;
use serde_json::{Value, json};

use super::caller::Registrant;

pub async fn root(_: Registrant) -> Json<Value> {
    Json(json!({}))
}
