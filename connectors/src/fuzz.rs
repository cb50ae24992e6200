//! Every decoder of bytes from outside, each as one function: for cargo-fuzz (the folder `fuzz`) and, with any bytes and
//! with damaged valid ones, for the tests. They answer whether the bytes were taken, wholly and by all that reads them. That
//! they do, within bounds, is what matters; of the valid bytes that others are made from it is held that they are taken.

mod registry;
pub mod sample;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use changtong_catalog::avro::{Rules, parse};
use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::Refusal;
use changtong_catalog::filter;
use changtong_catalog::ids::{BatchId, Generation, SchemaId};
use changtong_catalog::mac::MacKey;
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::ResourceFile;
use uuid::Uuid;

pub use self::registry::{adopt, comparison, registry_body};
use crate::avro::{BodyLimits, Format, Passed, Places, Plan, View, container, read_body};
use crate::log::LogRecord;

/// Bytes of one record, and of a body once inflated.
const RECORD_BYTES: usize = 64 << 10;
const DECOMPRESSED: usize = 1 << 20;

/// A decoder: its name, and what it is given to take.
pub type Entry = (&'static str, fn(&[u8]) -> bool);

pub const ENTRIES: [Entry; 11] = [
    ("json_lines", json_lines),
    ("json_array", json_array),
    ("csv", csv),
    ("container", container),
    ("stored_record", stored_record),
    ("schema", schema),
    ("cursor", cursor),
    ("filter", filter),
    ("registry_body", registry_body),
    ("comparison", comparison),
    ("adopt", adopt),
];

/// A table with an item of every type.
struct Sample {
    file: ResourceFile,
    plan: Arc<Plan>,
    view: View,
}

const FILE: &str = r#"
class = "307022"
title = "样例"
provider = "p"
kind = "table"
share_type = "unconditional"
update_cycle = "daily"
key = ["id", "n"]
items = [
    { name = "id", title = "编号", type = "C", length = 8 },
    { name = "n", title = "数", type = "I", length = 9 },
    { name = "big", title = "大数", type = "I", nullable = true },
    { name = "money", title = "金额", type = "Y", precision = 10, scale = 2, nullable = true },
    { name = "day", title = "日期", type = "D", nullable = true },
    { name = "at", title = "时间", type = "T", nullable = true },
    { name = "flag", title = "是否", type = "L", nullable = true },
    { name = "raw", title = "字节", type = "G", nullable = true },
    { name = "ratio", title = "比", type = "B", nullable = true },
    { name = "small", title = "小比", type = "F", nullable = true },
    { name = "note", title = "备注", type = "M", nullable = true },
    { name = "place", title = "地", type = "C", nullable = true, values = ["EWR", "JFK", "LGA"] },
]
"#;

/// `None` never: the sample is a resource's file, as a test says.
fn sample() -> Option<&'static Sample> {
    static SAMPLE: OnceLock<Option<Sample>> = OnceLock::new();
    SAMPLE.get_or_init(|| make().ok()).as_ref()
}

fn make() -> Result<Sample, Refusal> {
    let file: ResourceFile = toml::from_str(FILE)
        .map_err(|e| Refusal::new(changtong_catalog::error::Code::Invalid, "", e.to_string()))?;
    let plan = Arc::new(Plan::of(&file, SchemaId(7), Some(SchemaId(8)), 3));
    let names: Vec<_> = file.items.iter().map(|item| item.name.as_str()).collect();
    // Every item, one of them masked, behind filters on key and value.
    let mut grant = sample::grant(&names, Some("id != 'x' && (money > 1 || money == null)"), None);
    grant.masks.insert("note".to_owned(), Mask::First);
    let view = View::compile(plan.clone(), &file.items, &grant, sample::keys())?;
    Ok(Sample { file, plan, view })
}

fn body(format: Format, bytes: &[u8]) -> bool {
    let Some(sample) = sample() else { return false };
    let limits =
        BodyLimits { records: 10_000, record_bytes: RECORD_BYTES, decompressed: DECOMPRESSED, ratio: 100 };
    let read = read_body(&sample.plan, format, bytes, &limits, BatchId(Uuid::nil()), &mut |_| Ok(()));
    read.is_ok_and(|body| body.bad.is_empty() && !body.records.is_empty())
}

pub fn json_lines(bytes: &[u8]) -> bool {
    body(Format::Ndjson, bytes)
}

pub fn json_array(bytes: &[u8]) -> bool {
    body(Format::JsonArray, bytes)
}

pub fn csv(bytes: &[u8]) -> bool {
    body(Format::Csv, bytes)
}

/// A container file, published and shown.
pub fn container(bytes: &[u8]) -> bool {
    let taken = body(Format::Avro, bytes);
    container::shown(bytes).is_some() && taken
}

/// A record of the log: the first byte says how long its key is, which stands before its value.
pub fn stored_record(bytes: &[u8]) -> bool {
    let (Some(sample), Some((length, rest))) = (sample(), bytes.split_first()) else { return false };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let record = LogRecord {
        partition: 0,
        offset: 0,
        appended_ms: 0,
        key: Some(Bytes::copy_from_slice(key)),
        value: (!value.is_empty()).then(|| Bytes::copy_from_slice(value)),
    };
    let (mut places, mut out) = (Places::default(), Vec::new());
    let owners = sample.plan.owner_line(Generation(1), &record, &mut places, &mut out);
    let line = sample.view.line(Generation(1), &record, true, &mut places, &mut out);
    let datum = sample.view.datum(Generation(1), &record, true, &mut places, &mut out);
    owners.is_ok() && [line, datum].iter().all(|passed| *passed == Ok(Passed::Sent))
}

/// A schema's text, and all that is made of one that is taken.
pub fn schema(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut taken = true;
    for rules in [Rules::FREE, Rules::RESOURCE, Rules::STORED, Rules::FILE] {
        let Ok(schema) = parse(text, rules) else {
            taken = false;
            continue;
        };
        let _ = (schema.canonical(), schema.normalized(), schema.parsing_form());
    }
    taken
}

pub fn cursor(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    Cursor::decode(text, [&MacKey::new(&[1; 32])]).is_ok()
}

pub fn filter(bytes: &[u8]) -> bool {
    let (Ok(text), Some(sample)) = (std::str::from_utf8(bytes), sample()) else { return false };
    filter::parse(text).is_ok_and(|expression| expression.check(&sample.file.items).is_ok())
}
