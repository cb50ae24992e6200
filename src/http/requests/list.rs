//! `GET /requests`: those of the caller's agency on either side; all of them for the authority.

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::store::Page;

use super::{Shown, without_entry};
use crate::http::page::{Listed, Pages, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(pages): Asked<Pages>,
) -> Answer<Json<Listed<Shown>>> {
    let of = (!caller.is(Role::Authority)).then_some(caller.agency);
    let page = app.store.requests(of, pages.after.as_deref(), rows(pages.limit)?).await?;
    let mut session = app.store.read().await?;
    let mut items = Vec::with_capacity(page.items.len());
    for request in page.items {
        let entry = session.resource(request.resource).await?.ok_or_else(without_entry)?;
        items.push(Shown::of(request, &entry));
    }
    Ok(Json(Listed::of(Page { items, next: page.next }, |shown| shown)))
}
