//! `GET /requests/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::ids::RequestId;
use http::header::ETAG;

use super::{Shown, visible};
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(State(app): State<Web>, Known(caller): Known, At(id): At<RequestId>) -> Answer {
    let (request, entry) = visible(&mut app.store.read().await?, &caller, id).await?;
    Ok(([(ETAG, etag(request.version))], Json(Shown::of(request, &entry))).into_response())
}
