//! What ends a delivery (protocol.md 7): after the change has committed the gate ends the windows, and the answer says
//! per subscription what may still arrive.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::grant::Cause;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::Ended;
use serde::{Deserialize, Serialize};

use super::problem::Answer;
use crate::app::App;

/// Why a service pauses or ends, and where it ends the reference of the filing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub cause: Cause,
    #[serde(default)]
    pub filing: Option<String>,
}

/// Where a cause may be left out: participants and keys, whose owner may end them too.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaybeReason {
    #[serde(default)]
    pub cause: Option<Cause>,
}

#[derive(Debug, Serialize)]
struct LastLeft {
    last_left: BTreeMap<SubscriptionId, String>,
}

/// Ends the windows concerned and answers `last_left`.
pub async fn end(app: &App, ended: Ended) -> Answer<Response> {
    let last_left = app.gate.end(&ended).await?;
    Ok(Json(LastLeft { last_left }).into_response())
}
