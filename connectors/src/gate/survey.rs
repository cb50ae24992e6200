//! What a log holds, looked at without a gate: for the decision of an operator whose store is older than the log
//! (protocol.md 4), and the marks that said so.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{Generation, ResourceNumber, SchemaId, TopicName};

use super::marks;
use super::permit::{Permit, PermitKind};
use crate::log::{Log, Range};

/// Records and bytes read at once.
const RECORDS: usize = 4096;
const BYTES: usize = 2 << 20;
const DEADLINE: Duration = Duration::from_secs(10);

/// Of each topic of records the first record kept and the end, by partition.
pub type Topics = BTreeMap<(ResourceNumber, Generation), Vec<(i64, i64)>>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    pub topics: Topics,
    /// The largest schema id that a record's prefix shows, of those at or above the offsets known.
    pub schema: Option<SchemaId>,
}

/// Looks at every topic of records; of each partition the records from `known` on (the first kept, where nothing is
/// known) are looked into.
pub async fn survey(
    log: &dyn Log,
    prefix: &str,
    known: &BTreeMap<(ResourceNumber, Generation), Vec<i64>>,
) -> Result<Survey, Refusal> {
    let named = log.topics(prefix).await?;
    let keys: Vec<_> = named.iter().filter_map(|name| TopicName::of_records(prefix, name)).collect();
    let names: Vec<TopicName> =
        keys.iter().map(|(number, generation)| TopicName::records(prefix, *number, *generation)).collect();
    let mut extents = log.extents(&names).await?;
    let mut found = Survey::default();
    for (key, name) in keys.into_iter().zip(&names) {
        // A topic that does not answer would seem to hold nothing.
        let extents = extents.remove(name).ok_or_else(|| super::refusals::log_silent(name))?;
        let known = known.get(&key).map_or(&[][..], Vec::as_slice);
        for (partition, extent) in (0..).zip(&extents) {
            let at = usize::try_from(partition).ok().and_then(|at| known.get(at)).copied();
            let range =
                Range { partition, from: at.unwrap_or(extent.first).max(extent.first), to: extent.end };
            let shown = largest_schema(log, name, key, range).await?;
            found.schema = found.schema.max(shown);
        }
        found.topics.insert(key, extents.iter().map(|extent| (extent.first, extent.end)).collect());
    }
    Ok(found)
}

async fn largest_schema(
    log: &dyn Log,
    name: &TopicName,
    (number, generation): (ResourceNumber, Generation),
    mut range: Range,
) -> Result<Option<SchemaId>, Refusal> {
    let mut largest = None;
    while range.from < range.to {
        let permit = Permit::mint(PermitKind::Settle, name.clone(), number, generation, RECORDS, DEADLINE);
        let records = log.read(permit, &[range], BYTES).await?;
        let Some(last) = records.last() else { return Err(super::refusals::log_silent(name)) };
        range.from = last.offset + 1;
        let bytes = records.iter().flat_map(|record| record.key.iter().chain(&record.value));
        largest = largest.max(bytes.filter_map(super::copy::schema_of).max());
    }
    Ok(largest)
}

/// The epoch noted beside the store; 0 where nothing was.
pub async fn noted_epoch(path: &Path) -> Result<i64, Refusal> {
    marks::noted(path).await.map(|noted| noted.map_or(0, |noted| noted.epoch))
}

/// What was noted no longer says anything: the store was decided upon.
pub async fn decided(path: &Path) -> Result<(), Refusal> {
    match tokio::fs::rename(path, path.with_extension("decided")).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(marks::unwritable(path, &error.to_string()))
        }
        _ => Ok(()),
    }
}
