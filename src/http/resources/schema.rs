//! `GET /resources/{code}/schema`: the Avro schemas in force, once the entry has been published.

use axum::Json;
use axum::extract::State;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{ResourceCode, SchemaId};
use changtong_catalog::ports::SchemaText;
use changtong_catalog::visible::{Sight, sight};
use serde::Serialize;
use serde_json::value::RawValue;

use super::visible;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct Schemas {
    value: Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Schema>,
}

#[derive(Debug, Serialize)]
pub struct Schema {
    id: SchemaId,
    fingerprint: String,
    /// The canonical text, as JSON.
    schema: Box<RawValue>,
}

impl TryFrom<SchemaText> for Schema {
    type Error = Refusal;
    fn try_from(text: SchemaText) -> Result<Self, Refusal> {
        let schema = RawValue::from_string(text.text).map_err(|_| {
            Refusal::new(Code::Internal, "存储的模式不是 JSON", "a stored schema is not JSON")
        })?;
        Ok(Self { id: text.id, fingerprint: text.fingerprint, schema })
    }
}

pub async fn schema(
    State(app): State<Web>,
    Known(caller): Known,
    At(code): At<ResourceCode>,
) -> Answer<Json<Schemas>> {
    let standing = visible(&app, &caller, &code).await?;
    if sight(&caller, &standing.resource) != Sight::Whole {
        return Err(Refusal::not_found("模式", "schema").into());
    }
    let Some(value) = standing.value_schema().cloned() else {
        return Err(Refusal::new(
            Code::ResourceNotPublished,
            "信息资源尚未发布,还没有模式",
            "the resource is not published yet, so it has no schema",
        )
        .into());
    };
    let key = standing.key_schema.map(Schema::try_from).transpose()?;
    Ok(Json(Schemas { value: value.try_into()?, key }))
}
