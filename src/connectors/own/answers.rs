//! Answers of the API as the runner knows these things. Members that are not needed are passed over: the server may be
//! newer.

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{
    AccountId, AgencyId, BatchId, EventId, Generation, ResourceCode, ResourceNumber, SchemaId, SubscriptionId,
};
use changtong_catalog::lifecycle::Suspender;
use changtong_catalog::ports::{Receipt, ResourceStanding, SchemaText, SchemaVersion};
use changtong_catalog::resource::{Kind, Resource, ResourceFile, ResourceState};
use changtong_catalog::visibility::Run;
use changtong_connectors::gate::{Format, OnInvalid};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// Members of an entry that its file has too.
const FILE: [&str; 14] = [
    "class",
    "title",
    "provider",
    "abstract",
    "kind",
    "retention",
    "share_type",
    "share_condition",
    "share_scope",
    "withheld_basis",
    "update_cycle",
    "auto_register",
    "key",
    "items",
];

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub kind: Kind,
}

#[derive(Debug, Deserialize)]
pub(super) struct Grant {
    pub resource: ResourceCode,
    pub delete_lines: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub id: SubscriptionId,
    pub name: String,
    pub deletes: bool,
}

/// What the catalog knows of an entry besides its file.
#[derive(Debug, Deserialize)]
struct Known {
    code: ResourceCode,
    number: ResourceNumber,
    agency: AgencyId,
    state: ResourceState,
    version: i32,
    generation: Generation,
    schema_id: Option<SchemaId>,
    key_schema_id: Option<SchemaId>,
    log_rolled_back: bool,
    #[serde(default)]
    suspended_by: Option<Suspender>,
    #[serde(default)]
    provider_suspended: bool,
}

#[derive(Debug, Deserialize)]
struct Published {
    batch: BatchId,
    accepted: i64,
    quarantined: i64,
    schema_id: SchemaId,
    runs: Vec<Run>,
    audit: Evidence,
    replayed: bool,
}

#[derive(Debug, Deserialize)]
struct Evidence {
    event: EventId,
    leaf_sha256: String,
}

pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Refusal> {
    serde_json::from_value(answer).map_err(|_| not_ours())
}

pub(super) fn next(answer: &Value) -> Result<String, Refusal> {
    answer.get("next").and_then(Value::as_str).map(str::to_owned).ok_or_else(not_ours)
}

/// An entry that the caller's agency provides.
pub(super) fn standing(entry: Value) -> Result<ResourceStanding, Refusal> {
    let known: Known = read(entry.clone())?;
    let Value::Object(mut members) = entry else { return Err(not_ours()) };
    members.retain(|name, _| FILE.contains(&&**name));
    let file: ResourceFile = read(Value::Object(members))?;
    // Encoding needs the ids; the texts it has in the items.
    let schema = |id| SchemaText { id, text: String::new(), fingerprint: String::new() };
    let version = |id| SchemaVersion { version: 1, schema: schema(id), items: file.items.clone() };
    let versions: Vec<_> = known.schema_id.map(version).into_iter().collect();
    Ok(ResourceStanding {
        versions: versions.into(),
        key_schema: known.key_schema_id.map(schema),
        topic: None,
        resource: Resource {
            number: known.number,
            code: known.code,
            provider: known.agency,
            state: known.state,
            version: known.version,
            generation: known.generation,
            file,
            written_by: AccountId(Uuid::nil()),
            submitted_by: None,
            approved_by: None,
            schema: known.schema_id,
            key_schema: known.key_schema_id,
            published_at: None,
            log_rolled_back: known.log_rolled_back,
            suspended_by: known.suspended_by,
            provider_suspended: known.provider_suspended,
            proposal: None,
        },
    })
}

pub(super) fn receipt(answer: Value) -> Result<Receipt, Refusal> {
    let published: Published = read(answer)?;
    Ok(Receipt {
        batch: published.batch,
        accepted: published.accepted,
        quarantined: published.quarantined,
        schema: published.schema_id,
        runs: published.runs,
        event: published.audit.event,
        leaf_sha256: published.audit.leaf_sha256,
        replayed: published.replayed,
    })
}

/// Media type and `on_invalid` of a batch.
pub(super) fn words(format: Format, on_invalid: OnInvalid) -> (&'static str, &'static str) {
    let media_type = match format {
        Format::Ndjson => "application/x-ndjson",
        Format::JsonArray => "application/json",
        Format::Csv => "text/csv",
        Format::Avro => "application/avro",
    };
    let on_invalid = match on_invalid {
        OnInvalid::Reject => "reject",
        OnInvalid::Quarantine => "quarantine",
    };
    (media_type, on_invalid)
}

pub(super) fn not_ours() -> Refusal {
    Refusal::new(
        Code::Internal,
        "服务器的应答无法理解,版本可能不合",
        "an answer of the server cannot be read; its version may not fit",
    )
}
