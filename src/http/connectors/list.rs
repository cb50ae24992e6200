//! `GET /connectors?after=&limit=`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::clock::Clock as _;

use super::Shown;
use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<Shown>>> {
    let operator = caller.is(Role::Operator);
    if !operator {
        caller.require(Role::Integrator)?;
    }
    let of = (!operator).then_some(caller.agency);
    let page = app.store.connectors(of, pages.after.as_deref(), rows(pages.limit)?).await?;
    let now = app.clock.now();
    let shown = if operator { Shown::state } else { Shown::whole };
    Ok(Json(Listed::of(page, |connector| shown(connector, now))))
}
