//! What ends a delivery (protocol.md 7): after the change has committed the gate ends the windows, and the answer says
//! per subscription what may still arrive. Asked again, what has ended already answers the same.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Cause;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::Ended;
use changtong_catalog::store::carried;
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

/// Makes the change, ends the windows concerned and answers `last_left`. Goes on if the client leaves: a change that has
/// committed must not leave windows open.
pub async fn end(
    app: &App,
    ended: Ended,
    change: impl Future<Output = Result<(), Refusal>> + Send + 'static,
) -> Answer<Response> {
    let gate = app.gate.clone();
    let ending = tokio::spawn(carried(async move {
        match change.await {
            Ok(()) => gate.end(&ended).await,
            Err(refusal) if refusal.code == Code::OutcomeUnknown => {
                // If the change stands nothing more may leave; if it does not, readers only open new windows.
                if let Err(missing) = gate.end(&ended).await {
                    tracing::warn!(code = %missing.code, "windows of a change with unknown outcome");
                }
                Err(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }));
    let last_left = ending.await.unwrap_or_else(|_| Err(fault()))?;
    Ok(Json(LastLeft { last_left }).into_response())
}

fn fault() -> Refusal {
    Refusal::new(
        Code::Internal,
        "服务器内部错误:请再次发出同一请求,已生效的变更会再次答复 last_left",
        "a fault of the server: send the same request again; a change that stands answers last_left again",
    )
}
