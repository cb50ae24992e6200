//! `GET /resources/{code}/schema`: the Avro schemas in force and those before, once the entry has been published.

use axum::Json;
use axum::extract::State;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{ResourceCode, SchemaId};
use changtong_catalog::ports::{SchemaText, SchemaVersion};
use changtong_catalog::visible::{Sight, sight};
use serde::Serialize;
use serde_json::value::RawValue;

use super::visible;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

#[derive(Debug, Serialize)]
pub struct Schemas {
    /// The one in force.
    value: Schema,
    version: i32,
    /// Of the generation in force, oldest first.
    versions: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Schema>,
}

#[derive(Debug, Serialize)]
struct Version {
    version: i32,
    #[serde(flatten)]
    schema: Schema,
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
    let Some(in_force) = standing.versions.last().cloned() else {
        return Err(Refusal::new(
            Code::ResourceNotPublished,
            "信息资源尚未发布,还没有模式",
            "the resource is not published yet, so it has no schema",
        )
        .into());
    };
    let key = standing.key_schema.map(Schema::try_from).transpose()?;
    let version = |of: &SchemaVersion| -> Result<Version, Refusal> {
        Ok(Version { version: of.version, schema: of.schema.clone().try_into()? })
    };
    let versions = standing.versions.iter().map(version).collect::<Result<_, _>>()?;
    let (version, value) = (in_force.version, in_force.schema.try_into()?);
    Ok(Json(Schemas { value, version, versions, key }))
}
