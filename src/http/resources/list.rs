//! `GET /resources?q=&class=&provider=&share_type=&after=&limit=`

use axum::Json;
use axum::extract::State;
use changtong_catalog::error::Refusal;
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::{Page, ResourceQuery};
use changtong_catalog::visible::{Sight, sight};
use serde::Deserialize;

use super::Shown;
use crate::http::page::{Listed, rows};
use crate::http::parts::Asked;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    q: Option<String>,
    class: Option<String>,
    provider: Option<String>,
    share_type: Option<ShareType>,
    after: Option<String>,
    limit: Option<usize>,
}

pub async fn list(
    State(app): State<Web>,
    Known(caller): Known,
    Asked(search): Asked<Search>,
) -> Answer<Json<Listed<Shown>>> {
    let mut query =
        ResourceQuery { q: search.q, class: search.class, provider: None, share_type: search.share_type };
    if let Some(name) = search.provider {
        match app.store.read().await?.agency_named(&name).await? {
            Some(agency) => query.provider = Some(agency.id),
            // Nobody of that name provides anything.
            None => return Ok(Json(Listed::of(Page { items: Vec::new(), next: None }, |shown| shown))),
        }
    }
    let seen = |entry: &_| sight(&caller, entry) != Sight::Nothing;
    let page = app.store.resources(&query, seen, search.after.as_deref(), rows(search.limit)?).await?;
    let next = page.next;
    let items = page.items.iter().map(|entry| Shown::to(&caller, entry)).collect::<Result<_, Refusal>>()?;
    Ok(Json(Listed::of(Page { items, next }, |shown| shown)))
}
