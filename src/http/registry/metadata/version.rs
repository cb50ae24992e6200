//! `GET /v1/metadata/version`

use axum::Json;
use serde_json::{Value, json};

use crate::http::registry::caller::Registrant;

pub async fn version(_: Registrant) -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "commitId": "" }))
}
