//! `GET /grants/{id}/schema`: the derived schema that the consumer's records have.

use axum::Json;
use axum::extract::State;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::GrantId;

use super::visible;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::resources::Schema;
use crate::http::{Known, Web};

pub async fn schema(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<GrantId>,
) -> Answer<Json<Schema>> {
    let mut session = app.store.read().await?;
    let (grant, _) = visible(&mut session, &caller, id).await?;
    let text = session.schema(grant.schema).await?;
    Ok(Json(text.ok_or_else(|| Refusal::not_found("模式", "schema"))?.try_into()?))
}
