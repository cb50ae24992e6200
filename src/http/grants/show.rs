//! `GET /grants/{id}`: its terms, and what is left of its rates.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::GrantId;
use changtong_connectors::limit::Left;
use http::header::ETAG;
use serde::Serialize;

use super::{Shown, visible};
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
struct WithLimits {
    #[serde(flatten)]
    grant: Shown,
    left: Vec<Left>,
}

pub async fn show(State(app): State<Web>, Known(caller): Known, At(id): At<GrantId>) -> Answer {
    let (grant, entry) = visible(&mut app.store.read().await?, &caller, id).await?;
    let (version, left) = (grant.version, app.gate.left(&caller, Some(&grant)));
    let grant = Shown::of(grant, &entry, app.clock.now());
    Ok(([(ETAG, etag(version))], Json(WithLimits { grant, left })).into_response())
}
