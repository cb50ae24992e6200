//! Events as `audit export` writes them, read back byte for byte: what they say of records, topics and numbers. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;

use crate::audit::{Digest, Projection, jcs};
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, AgencyId, EventId, Generation, GrantId, ResourceNumber, SchemaId, TopicName};
use crate::ports::Topic;
use crate::visibility::Run;

/// An event of the file.
#[derive(Debug, Clone)]
pub struct Exported {
    pub id: EventId,
    pub at: Time,
    pub code: String,
    pub agency: Option<AgencyId>,
    pub account: Option<AccountId>,
    pub resource: Option<ResourceNumber>,
    pub grant: Option<GrantId>,
    pub says: Says,
    pub body: Vec<u8>,
}

/// What of it concerns the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    Published {
        topic: (ResourceNumber, Generation),
        schema: SchemaId,
        fingerprint: Digest,
        runs: Vec<Run>,
        batches: i64,
        records: i64,
    },
    TopicWanted(Topic),
    Other,
}

impl Exported {
    pub(super) fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }
}

/// Every line of a file, each event once.
pub fn read(text: &[u8]) -> Result<Vec<Exported>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let event = event(line).ok_or_else(|| not_an_event(at + 1))?;
        if seen.insert(event.id) {
            events.push(event);
        }
    }
    Ok(events)
}

fn event(line: &[u8]) -> Option<Exported> {
    let body: Value = serde_json::from_slice(line).ok()?;
    // Only the very bytes that were hashed are evidence.
    if jcs::encode(&body).ok()? != line {
        return None;
    }
    let found_by = Projection::read(line)?;
    let says = match found_by.code.as_str() {
        "publish" => published(&body)?,
        "topic.wanted" => Says::TopicWanted(wanted(&body)?),
        _ => Says::Other,
    };
    Some(Exported {
        id: found_by.id.parse().ok()?,
        at: found_by.at.parse().ok()?,
        agency: found_by.agency.map(|agency| agency.parse()).transpose().ok()?,
        account: found_by.account.map(|account| account.parse()).transpose().ok()?,
        resource: found_by.resource,
        grant: found_by.grant,
        code: found_by.code,
        says,
        body: line.to_vec(),
    })
}

/// What an event's bytes say of records.
pub(super) fn published(body: &Value) -> Option<Says> {
    let (mut runs, mut batches, mut records) = (Vec::new(), 0, 0);
    let schema = SchemaId(i32::try_from(body["schema"].as_i64()?).ok()?);
    for batch in body["batches"].as_array()? {
        batches += 1;
        records += batch["n"].as_i64()?;
        for run in batch["runs"].as_array()? {
            let [partition, first, last] = [run[0].as_i64()?, run[1].as_i64()?, run[2].as_i64()?];
            if first < 0 || last < first {
                return None;
            }
            runs.push(Run { partition: i32::try_from(partition).ok()?, first, last });
        }
    }
    let fingerprint = body["fingerprint"].as_str()?.parse().ok()?;
    Some(Says::Published { topic: topic(body)?, schema, fingerprint, runs, batches, records })
}

fn wanted(body: &Value) -> Option<Topic> {
    let (resource, generation) = topic(body)?;
    let name: TopicName = serde_json::from_value(body["topic"].clone()).ok()?;
    let partitions = i32::try_from(body["partitions"].as_i64()?).ok()?;
    Some(Topic { name, resource, generation, partitions, made: true })
}

fn topic(body: &Value) -> Option<(ResourceNumber, Generation)> {
    let generation = i32::try_from(body["generation"].as_i64()?).ok()?;
    Some((ResourceNumber(body["resource"].as_i64()?), Generation(generation)))
}

/// The largest numbers that the events show to be given out, by the name of their counter.
pub(super) fn numbers(events: &[Exported]) -> BTreeMap<String, i64> {
    let mut largest = BTreeMap::new();
    let mut show = |counter: &str, number: Option<i64>| {
        if let Some(number) = number {
            let stored = largest.entry(counter.to_owned()).or_insert(0);
            *stored = number.max(*stored);
        }
    };
    for event in events {
        let Ok(body) = serde_json::from_slice::<Value>(&event.body) else { continue };
        show("resource", body["resource"].as_i64());
        show("grant", body["grant_number"].as_i64());
        show("schema", body["schema"].as_i64());
        show("schema", body["key_schema"].as_i64());
        if let Some((class, sequence)) = body["resource_code"].as_str().and_then(|code| code.split_once('/'))
        {
            show(&format!("class:{class}"), sequence.parse().ok());
        }
    }
    largest
}

fn not_an_event(line: usize) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("第 {line} 行不是审计事件的原始字节;请使用 `changtong audit export` 导出的文件"),
        format!("line {line} is not the bytes of an event; use a file that `changtong audit export` wrote"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden event, under an id of its own: they all have the same.
    fn golden(code: &str) -> Vec<u8> {
        let path = format!("{}/tests/golden/events/{code}.v1.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let id =
            format!("{:012x}", code.bytes().fold(0_u64, |id, byte| id * 31 % 0xffff_ffff + u64::from(byte)));
        text.replace("-000000000008", &format!("-{id}")).into_bytes()
    }

    #[test]
    fn golden_events_are_read_and_what_was_touched_is_not() {
        let (publish, wanted) = (golden("publish"), golden("topic.wanted"));
        let file = [publish.as_slice(), b"\n", &wanted, b"\n", &publish, b"\n"].concat();
        let events = read(&file).unwrap();
        assert_eq!(events.len(), 2, "each once");
        assert!(
            matches!(events[0].says, Says::Published { .. })
                && matches!(events[1].says, Says::TopicWanted(_))
        );
        assert_eq!(events[0].body, publish);
        let spaced = String::from_utf8(publish).unwrap().replacen(':', ": ", 1);
        for bad in [spaced.as_bytes(), b"{}", b"x", b"[1]"] {
            assert_eq!(read(bad).unwrap_err().code, Code::FileUnreadable);
        }
        assert!(read(b"\n\n").unwrap().is_empty());
    }

    #[test]
    fn numbers_that_events_show_are_found() {
        let file = [golden("resource.drafted"), golden("grant.created"), golden("publish")].join(&b'\n');
        let numbers = numbers(&read(&file).unwrap());
        assert!(numbers["resource"] > 0 && numbers["grant"] > 0 && numbers["schema"] > 0);
        assert!(numbers.keys().any(|name| name.starts_with("class:")), "{numbers:?}");
    }
}
