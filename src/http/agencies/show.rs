//! `GET /agencies/{code}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use http::header::ETAG;

use super::named;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(State(app): State<Web>, Known(_): Known, At(name): At<String>) -> Answer {
    let agency = named(&mut app.store.read().await?, &name).await?;
    Ok(([(ETAG, etag(agency.version))], Json(agency)).into_response())
}
