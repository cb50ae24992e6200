//! `GET /resources/{code}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::ids::ResourceCode;
use http::header::ETAG;

use super::{Shown, visible};
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(State(app): State<Web>, Known(caller): Known, At(code): At<ResourceCode>) -> Answer {
    let entry = visible(&app, &caller, &code).await?.resource;
    let mut shown = Shown::to(&caller, &entry)?;
    if caller.agency == entry.provider {
        shown = shown.with_rejection(app.store.read().await?.rejection(entry.number).await?);
    }
    Ok(([(ETAG, etag(entry.version))], Json(shown)).into_response())
}
