//! The page of a connector in its own process: its metrics, and that it lives. No credentials; it serves no data.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router, routing};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::connectors::own::OwnMetrics;

pub fn process_router(metrics: OwnMetrics) -> Router {
    Router::new()
        .route("/metrics", routing::get(page))
        .route("/health/live", routing::get(live))
        .with_state(metrics)
}

async fn page(State(metrics): State<OwnMetrics>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}
