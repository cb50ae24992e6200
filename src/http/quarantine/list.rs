//! `GET /quarantine?resource=&state=&after=&limit=`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::QuarantineId;
use changtong_catalog::store::{Page, QuarantineState};
use serde::Deserialize;

use super::Shown;
use crate::http::page::{Listed, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web, resources};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    resource: String,
    state: Option<QuarantineState>,
    after: Option<QuarantineId>,
    limit: Option<usize>,
}

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(search): Asked<Search>,
) -> Answer<Json<Listed<Shown>>> {
    let entry = resources::visible(&app, &caller, &search.resource.parse()?).await?.resource;
    if entry.provider != caller.agency {
        return Err(Refusal::not_found("隔离记录", "records set aside").into());
    }
    caller.require(Role::Integrator)?;
    let most = rows(search.limit)?;
    // One more than wanted tells whether there is a next page.
    let ask = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut items = app.store.quarantine(entry.number, search.state, search.after, ask).await?;
    let more = items.len() > most;
    items.truncate(most);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(Listed::of(Page { items, next }, |row| Shown::of(row, entry.code.clone()))))
}
