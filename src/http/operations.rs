//! The operations listener: metrics and health. No credentials and no audit; it serves no data.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router, routing};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::Web;

pub fn router(app: Web) -> Router {
    Router::new()
        .route("/metrics", routing::get(metrics))
        .route("/health/live", routing::get(live))
        .route("/health/ready", routing::get(ready))
        .route("/health/startup", routing::get(startup))
        .with_state(app)
}

async fn metrics(State(app): State<Web>) -> Response {
    match app.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The process runs. Nothing else is asked: restarting it does not mend a database.
async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// It may get requests: store and log answer, its lease stands, time runs as it should, nothing in the background broke
/// off (`broken` names what did).
async fn ready(State(app): State<Web>) -> Response {
    let checks = app.readiness().await;
    let ready = checks.iter().all(|(_, result)| result.is_ok());
    let mut members = serde_json::Map::new();
    for (name, result) in checks {
        app.metrics.server.ready.with_label_values(&[name]).set(i64::from(result.is_ok()));
        let value = match result {
            Ok(()) => json!("ok"),
            Err(code) => json!(code.as_str()),
        };
        members.insert(name.to_owned(), value);
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({ "ready": ready, "checks": members });
    let broken = app.background.broken();
    if !broken.is_empty() {
        answer["broken"] = json!(broken);
    }
    (status, Json(answer)).into_response()
}

/// This listener opens when the start is done, so an answer is the answer.
async fn startup() -> Json<Value> {
    Json(json!({ "started": true }))
}
