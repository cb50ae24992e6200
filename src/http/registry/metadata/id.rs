//! `GET /v1/metadata/id`

use axum::Json;
use serde_json::{Value, json};

use crate::http::registry::caller::Registrant;

pub async fn id(_: Registrant) -> Json<Value> {
    let clusters = json!({ "kafka-cluster": "changtong", "schema-registry-cluster": "changtong" });
    Json(json!({ "scope": { "path": [], "clusters": clusters }, "id": "" }))
}
