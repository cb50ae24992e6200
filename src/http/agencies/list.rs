//! `GET /agencies`

use axum::Json;
use axum::extract::State;
use changtong_catalog::agency::Agency;

use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn list(
    State(app): State<Web>,
    Known(_): Known,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<Agency>>> {
    let page = app.store.agencies(pages.after.as_deref(), rows(pages.limit)?).await?;
    Ok(Json(Listed::of(page, |agency| agency)))
}
