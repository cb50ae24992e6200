//! The codec against apache-avro (the oracle) and against the forms that interface.md fixes.

mod cost;
mod delivered;
mod differential;
mod family;
mod forms;
mod java;
mod leaving;
mod made;
mod oracle;
mod rows;
mod rules;
mod versions;
mod views;

use std::sync::Arc;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{
    AccountId, AgencyId, BatchId, Generation, ResourceCode, ResourceNumber, SchemaId,
};
use changtong_catalog::ports::{ResourceStanding, SchemaText, SchemaVersion};
use changtong_catalog::resource::{Item, Resource, ResourceFile, ResourceState};
use changtong_catalog::schema;
use uuid::Uuid;

use super::*;

pub(crate) const LIMITS: BodyLimits =
    BodyLimits { records: 1000, record_bytes: 64 * 1024, decompressed: 4 << 20, ratio: 100 };

/// A published table or stream made from the items given as TOML.
pub(crate) fn plan(kind: &str, key: &[&str], items: &str) -> Arc<Plan> {
    Arc::new(Plan::compile(&standing(file(kind, key, items)), 3).unwrap())
}

pub(crate) fn file(kind: &str, key: &[&str], items: &str) -> ResourceFile {
    let text = format!(
        "class = \"307022\"\ntitle = \"t\"\nprovider = \"p\"\nkind = \"{kind}\"\nshare_type = \"unconditional\"\n\
         update_cycle = \"daily\"\nkey = {key:?}\n{items}"
    );
    toml::from_str(&text).unwrap()
}

pub(crate) fn items(items: &str) -> Vec<Item> {
    file("stream", &[], items).items
}

pub(crate) fn schema_text(items: &[Item]) -> String {
    schema::value_schema(ResourceNumber(1), items).unwrap()
}

pub(crate) fn standing(file: ResourceFile) -> ResourceStanding {
    let keyed = !file.key.is_empty();
    let text = |id: i32, text: String| SchemaText { id: SchemaId(id), text, fingerprint: String::new() };
    let value = text(7, schema_text(&file.items));
    let resource = Resource {
        number: ResourceNumber(1),
        code: "307022/1".parse::<ResourceCode>().unwrap(),
        provider: AgencyId(Uuid::nil()),
        state: ResourceState::Published,
        version: 1,
        generation: Generation(1),
        file,
        written_by: AccountId(Uuid::nil()),
        submitted_by: None,
        approved_by: None,
        schema: Some(SchemaId(7)),
        key_schema: keyed.then_some(SchemaId(8)),
        published_at: None,
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    };
    let version = SchemaVersion { version: 1, schema: value, items: resource.file.items.clone() };
    ResourceStanding {
        resource,
        topic: None,
        versions: [version].into(),
        key_schema: keyed.then(|| text(8, String::new())),
    }
}

pub(crate) fn batch() -> BatchId {
    BatchId(Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001))
}

/// Reads a body that must be well formed.
pub(super) fn read(plan: &Plan, format: Format, body: &str) -> Body {
    try_read(plan, format, body.as_bytes(), &LIMITS).unwrap()
}

pub(crate) fn try_read(
    plan: &Plan,
    format: Format,
    body: &[u8],
    limits: &BodyLimits,
) -> Result<Body, Refusal> {
    read_body(plan, format, body, limits, batch(), &mut |_| Ok(()))
}

/// Every type once, nullable and not.
pub(crate) const ALL_TYPES: &str = r#"
[[items]]
name = "id"
title = "编号"
type = "C"
length = 8
[[items]]
name = "n"
title = "数"
type = "I"
length = 9
[[items]]
name = "big"
title = "大数"
type = "I"
nullable = true
[[items]]
name = "money"
title = "金额"
type = "Y"
precision = 10
scale = 2
nullable = true
[[items]]
name = "day"
title = "日期"
type = "D"
nullable = true
[[items]]
name = "at"
title = "时间"
type = "T"
nullable = true
[[items]]
name = "flag"
title = "是否"
type = "L"
nullable = true
[[items]]
name = "raw"
title = "字节"
type = "G"
nullable = true
[[items]]
name = "ratio"
title = "比"
type = "B"
nullable = true
[[items]]
name = "small"
title = "小比"
type = "F"
nullable = true
[[items]]
name = "note"
title = "备注"
type = "M"
nullable = true
[[items]]
name = "place"
title = "地"
type = "C"
nullable = true
values = ["EWR", "JFK", "LGA"]
"#;
