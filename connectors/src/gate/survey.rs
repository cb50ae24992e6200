//! What a log holds, looked at without a gate: for the decision of an operator whose store is older than the log
//! (protocol.md 4), and the marks that said so.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{Generation, ResourceNumber, SchemaId, TopicName};

use super::doubt::read_twice;
use super::marks;
use super::permit::{Permit, PermitKind};
use crate::log::{Log, LogRecord, Range, damaged_offsets, expired_firsts};

/// Records and bytes read at once.
const RECORDS: usize = 4096;
const BYTES: usize = 2 << 20;
const DEADLINE: Duration = Duration::from_secs(10);

/// Of each topic of records the first record kept and the end, by partition.
pub type Topics = BTreeMap<(ResourceNumber, Generation), Vec<(i64, i64)>>;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    pub topics: Topics,
    /// The largest schema id that a record's prefix shows, of those at or above the offsets known.
    pub schema: Option<SchemaId>,
    /// Records that were looked at and are none of the bus's, by topic.
    pub strange: BTreeMap<TopicName, i64>,
    pub unseen: Vec<Unseen>,
}

/// Offsets of a partition that could not be looked into.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    pub topic: TopicName,
    pub partition: i32,
    pub from: i64,
    pub until: i64,
    pub why: Refusal,
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
    let mut found = Survey::default();
    for (key, name) in keys.into_iter().zip(&names) {
        // What is decided by it stays so, and a topic that does not answer would seem to hold nothing.
        let extents = log.widest(name).await?;
        if extents.is_empty() {
            return Err(super::refusals::log_silent(name));
        }
        let known = known.get(&key).map_or(&[][..], Vec::as_slice);
        for (partition, extent) in (0..).zip(&extents) {
            let at = usize::try_from(partition).ok().and_then(|at| known.get(at)).copied();
            let range =
                Range { partition, from: at.unwrap_or(extent.first).max(extent.first), to: extent.end };
            let mut look = Look { log, name, key, partition, schema: None, strange: 0, unseen: Vec::new() };
            look.through(range.from, range.to).await?;
            found.schema = found.schema.max(look.schema);
            if look.strange > 0 {
                *found.strange.entry(name.clone()).or_default() += look.strange;
            }
            found.unseen.append(&mut look.unseen);
        }
        found.topics.insert(key, extents.iter().map(|extent| (extent.first, extent.end)).collect());
    }
    Ok(found)
}

/// A look into one partition.
struct Look<'l> {
    log: &'l dyn Log,
    name: &'l TopicName,
    key: (ResourceNumber, Generation),
    partition: i32,
    schema: Option<SchemaId>,
    strange: i64,
    unseen: Vec<Unseen>,
}

impl Look<'_> {
    /// Passes over what cannot be read: one bad record, one partition must not keep an operator from deciding about the
    /// others. A log that answers nothing at all does.
    async fn through(&mut self, mut from: i64, to: i64) -> Result<(), Refusal> {
        let mut stop = to;
        while from < to {
            match self.read(from, stop).await {
                Ok(records) => {
                    records.iter().for_each(|record| self.take(record));
                    from = records.last().map_or(to, |last| last.offset + 1);
                }
                // Retention went on meanwhile: what is gone is not there to be decided about.
                Err(refusal) if refusal.code == Code::PositionExpired => {
                    from = expired_firsts(&refusal).first().map_or(to, |(_, first)| *first).max(from + 1);
                }
                Err(refusal) => match damaged_offsets(&refusal) {
                    // What lies before it is whole.
                    Some((bad, _)) if from < bad && bad < stop => {
                        stop = bad;
                        continue;
                    }
                    Some((bad, until)) if bad <= from => {
                        let until = until.clamp(from + 1, to);
                        self.pass_over(from, until, refusal);
                        from = until;
                    }
                    _ => {
                        self.log.has_topic(self.name).await.map_err(|_| refusal.clone())?;
                        self.pass_over(from, to, refusal);
                        from = to;
                    }
                },
            }
            if from >= stop {
                stop = to;
            }
        }
        Ok(())
    }

    async fn read(&self, from: i64, to: i64) -> Result<Vec<LogRecord>, Refusal> {
        let (number, generation) = self.key;
        let permit =
            || Permit::mint(PermitKind::Settle, self.name.clone(), number, generation, RECORDS, DEADLINE);
        let range = Range { partition: self.partition, from, to };
        let records = read_twice(self.log, permit, range, BYTES).await?;
        if records.is_empty() { Err(super::refusals::log_silent(self.name)) } else { Ok(records) }
    }

    fn pass_over(&mut self, from: i64, until: i64, why: Refusal) {
        let (topic, partition) = (self.name.clone(), self.partition);
        self.unseen.push(Unseen { topic, partition, from, until, why });
    }

    fn take(&mut self, record: &LogRecord) {
        let frames = record.key.iter().chain(&record.value).map(super::copy::schema_of);
        let frames: Vec<Option<SchemaId>> = frames.collect();
        self.strange += i64::from(frames.is_empty() || frames.contains(&None));
        self.schema = self.schema.max(frames.into_iter().flatten().max());
    }
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
