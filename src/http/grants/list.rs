//! `GET /grants?resource=&after=&limit=`: those the caller's agency holds or gave; all of them for the authority.

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::store::Page;
use serde::Deserialize;

use super::{Shown, without_entry};
use crate::http::page::{Listed, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web, resources};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    resource: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(search): Asked<Search>,
) -> Answer<Json<Listed<Shown>>> {
    let of = (!caller.is(Role::Authority)).then_some(caller.agency);
    let resource = match &search.resource {
        Some(code) => Some(resources::visible(&app, &caller, &code.parse()?).await?.resource.number),
        None => None,
    };
    let page = app.store.grants(of, resource, search.after.as_deref(), rows(search.limit)?).await?;
    let mut session = app.store.read().await?;
    let mut items = Vec::with_capacity(page.items.len());
    for grant in page.items {
        let entry = session.resource(grant.resource).await?.ok_or_else(without_entry)?;
        items.push(Shown::of(&caller, grant, &entry, app.clock.now()));
    }
    Ok(Json(Listed::of(Page { items, next: page.next }, |shown| shown)))
}
