//! `GET /v1/metadata/deployment`

use axum::Json;
use serde_json::{Value, json};

use crate::http::registry::caller::Registrant;

pub async fn deployment(_: Registrant) -> Json<Value> {
    Json(json!({ "attributes": [] }))
}
