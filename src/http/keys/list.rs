//! `GET /accounts/{id}/keys`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::ApiKey;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::AccountId;

use super::seen_by;
use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    At(account): At<AccountId>,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<ApiKey>>> {
    seen_by(&caller, account)?;
    if app.store.read().await?.account(account).await?.is_none() {
        return Err(Refusal::not_found("账号", "account").into());
    }
    let page = app.store.api_keys(account, pages.after.as_deref(), rows(pages.limit)?).await?;
    Ok(Json(Listed::of(page, |key| key)))
}
