//! `GET /grants/{id}`: its terms, what is left of its rates and of today's quota, and once it has ended what had left.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::{Grant, GrantState};
use changtong_catalog::ids::{GrantId, SubscriptionId};
use changtong_catalog::ports::Ended;
use changtong_catalog::quota;
use changtong_connectors::limit::Left;
use http::header::ETAG;
use serde::Serialize;

use super::{Shown, visible};
use crate::app::App;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
struct WithLimits {
    #[serde(flatten)]
    grant: Shown,
    left: Vec<Left>,
    today: Today,
    /// Of a grant that is not active, what may still arrive: as the call answered that ended it, or as it expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_left: Option<BTreeMap<SubscriptionId, String>>,
}

/// The day's quota: what is used, and what is left where the grant sets one.
#[derive(Debug, Serialize)]
struct Today {
    calls: i64,
    records: i64,
    /// Records that open windows may still let out.
    reserved: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_left: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_left: Option<i64>,
    resets_at: Time,
}

pub async fn show(State(app): State<Web>, Known(caller): Known, At(id): At<GrantId>) -> Answer {
    let (grant, entry) = visible(&mut app.store.read().await?, &caller, id).await?;
    let day = quota::day(app.clock.now(), app.rules.zone);
    let used = app.store.quota_use(id, day.date).await?;
    let (calls_left, records_left) = used.left(&grant.limits);
    let today = Today {
        calls: used.calls,
        records: used.records,
        reserved: used.reserved,
        calls_left,
        records_left,
        resets_at: day.resets_at,
    };
    let last_left = last_left(&app, &grant).await?;
    let (version, left) = (grant.version, app.gate.left(&caller, Some(&grant)));
    let grant = Shown::of(&caller, grant, &entry, app.clock.now());
    Ok(([(ETAG, etag(version))], Json(WithLimits { grant, left, today, last_left })).into_response())
}

async fn last_left(app: &App, grant: &Grant) -> Result<Option<BTreeMap<SubscriptionId, String>>, Refusal> {
    let ended = Ended::Grant(grant.id);
    match grant.state_at(app.clock.now()) {
        GrantState::Active => Ok(None),
        // Nobody called for its end, so nobody has waited for its windows.
        GrantState::Expired | GrantState::Revoked => app.gate.end(&ended).await.map(Some),
        // It may be resumed while this waits.
        GrantState::Suspended => app.gate.ended(&ended).await.map(Some),
    }
}
