//! `POST /resources/{code}/records`: publish (interface.md 5).

use axum::Json;
use axum::extract::{Request, State};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{BatchId, EventId, ResourceCode, SchemaId};
use changtong_catalog::ports::{Receipt, SourceStep};
use changtong_catalog::visibility::Run;
use changtong_connectors::gate::{Format, OnInvalid, Publish};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::http::frame::budget;
use crate::http::parts::{Asked, At, media_type, unsupported};
use crate::http::problem::Answer;
use crate::http::{Known, Web, body, idempotency};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    #[serde(default)]
    on_invalid: Invalid,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Invalid {
    #[default]
    Reject,
    Quarantine,
}

#[derive(Debug, Serialize)]
pub struct Published {
    batch: BatchId,
    accepted: i64,
    quarantined: i64,
    schema_id: SchemaId,
    runs: Vec<Run>,
    audit: Evidence,
    replayed: bool,
}

#[derive(Debug, Serialize)]
struct Evidence {
    event: EventId,
    leaf_sha256: String,
}

impl From<Receipt> for Published {
    fn from(receipt: Receipt) -> Self {
        Self {
            batch: receipt.batch,
            accepted: receipt.accepted,
            quarantined: receipt.quarantined,
            schema_id: receipt.schema,
            runs: receipt.runs,
            audit: Evidence { event: receipt.event, leaf_sha256: receipt.leaf_sha256 },
            replayed: receipt.replayed,
        }
    }
}

pub async fn publish(
    State(app): State<Web>,
    Known(caller): Known,
    At(resource): At<ResourceCode>,
    Asked(options): Asked<Options>,
    request: Request,
) -> Answer<Json<Published>> {
    let (parts, stream) = request.into_parts();
    let format = format(&parts.headers)?;
    let idempotency_key = idempotency::key(&parts.headers)?;
    let source = source(&parts.headers)?;
    let body =
        body::read(&parts.headers, stream, app.body_limits(), &budget(&parts.extensions, &app)).await?;
    let on_invalid = match options.on_invalid {
        Invalid::Reject => OnInvalid::Reject,
        Invalid::Quarantine => OnInvalid::Quarantine,
    };
    let publish = Publish { caller, resource, format, on_invalid, body, idempotency_key, source };
    Ok(Json(app.gate.publish(publish).await?.into()))
}

/// How the records of a body are written.
pub fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    match media_type(headers)?.as_deref() {
        Some("application/x-ndjson") => Ok(Format::Ndjson),
        Some("application/json") => Ok(Format::JsonArray),
        Some("text/csv") => Ok(Format::Csv),
        Some("application/avro") => Ok(Format::Avro),
        _ => Err(unsupported("application/x-ndjson, application/json, text/csv, application/avro")),
    }
}

/// `Changtong-Source: <connector> <from> <to>` (protocol.md 5).
fn source(headers: &HeaderMap) -> Result<Option<SourceStep>, Refusal> {
    let mut values = headers.get_all("changtong-source").into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let words: Vec<&str> = value.to_str().unwrap_or_default().split(' ').collect();
    let position = |word: &str| (1..=512).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    match words[..] {
        [connector, from, to]
            if values.next().is_none() && [connector, from, to].into_iter().all(position) =>
        {
            Ok(Some(SourceStep { connector: connector.to_owned(), from: from.to_owned(), to: to.to_owned() }))
        }
        _ => Err(Refusal::new(
            Code::BadHeader,
            "Changtong-Source 应为“连接器 起点 终点”,各 1 至 512 个可见 ASCII 字符",
            "Changtong-Source must be \"CONNECTOR FROM TO\", each of 1 to 512 visible ASCII characters",
        )
        .with("header", "Changtong-Source")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_source_step_is_three_words() {
        let parse = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("changtong-source", HeaderValue::from_str(text).unwrap());
            source(&headers)
        };
        let step = parse("flights-in - f:1:200").unwrap().unwrap();
        assert_eq!((step.from.as_str(), step.to.as_str()), ("-", "f:1:200"));
        for wrong in ["", "a b", "a b c d", "a  c", &format!("a b {}", "x".repeat(513))] {
            assert_eq!(parse(wrong).unwrap_err().code, Code::BadHeader, "{wrong}");
        }
        assert_eq!(source(&HeaderMap::new()), Ok(None));
    }
}
