//! `GET /agencies/{code}/accounts`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::{Account, Role};
use changtong_catalog::error::Refusal;

use crate::http::agencies::named;
use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    At(name): At<String>,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<Account>>> {
    let agency = named(&mut app.store.read().await?, &name).await?;
    if caller.agency != agency.id && !caller.is(Role::Authority) {
        return Err(Refusal::not_found("账号列表", "list of accounts").into());
    }
    let page = app.store.accounts(agency.id, pages.after.as_deref(), rows(pages.limit)?).await?;
    Ok(Json(Listed::of(page, |account| account)))
}
