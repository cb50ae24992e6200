//! `GET /connectors/{name}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::account::Role;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use http::header::ETAG;

use super::Shown;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(State(app): State<Web>, Known(caller): Known, At(name): At<String>) -> Answer {
    caller.require(Role::Integrator)?;
    let found = app.store.read().await?.connector_named(caller.agency, &name).await?;
    let mut connector = found.ok_or_else(|| Refusal::not_found("连接器", "connector"))?;
    if let (Some(details), Some(status)) =
        (app.connectors.details(connector.id), connector.status.as_object_mut())
    {
        status.insert("details".to_owned(), details);
    }
    Ok(([(ETAG, etag(connector.version))], Json(Shown::whole(connector, app.clock.now()))).into_response())
}
