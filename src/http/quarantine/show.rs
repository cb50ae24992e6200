//! `GET /quarantine/{id}`: with the record as it came. Its event is written before its bytes are shown.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::ids::QuarantineId;
use changtong_connectors::avro::container;
use changtong_connectors::gate::Format;
use serde::Serialize;

use super::{Shown, owned, place};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct WithRecord {
    #[serde(flatten)]
    entry: Shown,
    format: &'static str,
    /// The record as it came; what is not UTF-8 is replaced. Of a container file, its values as JSON; empty where they
    /// cannot be shown.
    record: String,
    /// The record as a container file of its own, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

pub async fn show(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<QuarantineId>,
) -> Answer<Json<WithRecord>> {
    let (entry, resource) = owned(&app, &caller, id).await?;
    let original = app.gate.original(&caller, &place(&entry)).await?;
    app.store.show_quarantined(&caller, &entry, app.clock.now(), &*app.ids).await?;
    let format = match original.format {
        Format::Ndjson | Format::JsonArray => "json",
        Format::Csv => "csv",
        Format::Avro => "avro",
    };
    let (record, file) = match original.format {
        Format::Avro => {
            let shown = container::shown(&original.bytes).map(|record| record.to_string());
            (shown.unwrap_or_default(), Some(STANDARD.encode(&original.bytes)))
        }
        _ => (String::from_utf8_lossy(&original.bytes).into_owned(), None),
    };
    Ok(Json(WithRecord { entry: Shown::of(entry, resource), format, record, file }))
}
