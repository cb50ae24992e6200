//! `GET /grants/{id}/subscriptions`

use axum::Json;
use axum::extract::State;
use changtong_catalog::ids::GrantId;

use super::Shown;
use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web, grants};

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    At(grant): At<GrantId>,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<Shown>>> {
    grants::visible(&mut app.store.read().await?, &caller, grant).await?;
    let page = app.store.subscriptions(grant, pages.after.as_deref(), rows(pages.limit)?).await?;
    Ok(Json(Listed::of(page, Shown::from)))
}
