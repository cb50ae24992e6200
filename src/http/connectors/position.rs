//! `GET /connectors/{name}/position?source=`: where a source of a connector stands (protocol.md 5).

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Role;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ports::Directory as _;
use changtong_connectors::runner::{ConnectorSpec, End};
use serde::{Deserialize, Serialize};

use crate::http::parts::{Asked, At};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// As `Changtong-Source` names it: the connector's name, perhaps with the part.
    source: String,
}

#[derive(Debug, Serialize)]
pub struct Position {
    source: String,
    /// `-` before the first.
    position: String,
}

pub async fn position(
    State(app): State<Web>,
    Known(caller): Known,
    At(name): At<String>,
    Asked(Which { source }): Asked<Which>,
) -> Answer<Json<Position>> {
    caller.require(Role::Integrator)?;
    let found = app.store.read().await?.connector_named(caller.agency, &name).await?;
    let connector = found.ok_or_else(|| Refusal::not_found("连接器", "connector"))?;
    let behind = source.strip_prefix(&name);
    if !behind.is_some_and(|rest| rest.is_empty() || rest.starts_with(['~', '/'])) {
        return Err(Refusal::not_found("来源", "source").into());
    }
    let End::Source(end) = ConnectorSpec::from_value(&connector.spec)?.end else {
        return Err(Refusal::new(
            Code::InvalidState,
            "该连接器是目标而非来源,没有来源位置",
            "the connector is a sink, so it has no source position",
        )
        .into());
    };
    let standing = app.store.resource(&end.resource).await?;
    let standing = standing.ok_or_else(|| Refusal::not_found("信息资源", "resource"))?;
    let position = app.gate.source_position(standing.resource.number, &source).await?;
    Ok(Json(Position { source, position }))
}
