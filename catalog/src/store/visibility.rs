//! What counts, as rows (protocol.md 4): settled marks and runs. The arithmetic is `crate::visibility`'s.

use std::collections::BTreeMap;

use sqlx::{Database, Encode, FromRow, QueryBuilder, Type};

use super::dispatch::{all, on, rows};
use super::error::internal;
use super::{Session, Tx};
use crate::error::Refusal;
use crate::ids::{Generation, ResourceNumber};
use crate::visibility::{PartitionView, Run, Settlement, StoredRun, Verdict};

/// The topic of one generation of a resource.
pub(crate) type TopicKey = (ResourceNumber, Generation);

/// Views of the partitions of several topics, in the order of the partitions.
pub(crate) type Views = BTreeMap<TopicKey, Vec<PartitionView>>;

/// Rows of one statement: far below the parameters that either engine takes.
const ROWS: usize = 1000;

/// Partitions that one statement names.
const PARTITIONS: usize = 4096;

/// A partition, and where what is judged of it begins.
type From = ((TopicKey, i32), i64);

#[derive(FromRow)]
struct ViewRow {
    resource: ResourceNumber,
    generation: Generation,
    part: i32,
    settled: i64,
    first_offset: Option<i64>,
    last_offset: Option<i64>,
    dead: Option<bool>,
}

impl Session {
    /// Marks and all runs in one statement, so that no reader sees one without the other.
    pub(crate) async fn views(&mut self, topics: &[TopicKey]) -> Result<Views, Refusal> {
        if topics.is_empty() {
            return Ok(Views::new());
        }
        let rows: Vec<ViewRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new(
                "SELECT m.resource, m.generation, m.part, m.settled, r.first_offset, r.last_offset, r.dead \
                 FROM settled_mark m LEFT JOIN run r \
                 ON r.resource = m.resource AND r.generation = m.generation AND r.part = m.part",
            );
            push_topics(&mut select, topics);
            select.build_query_as().fetch_all(conn).await
        })?;
        gather(rows)
    }

    /// Only what runs that begin at the given offsets or behind them are judged by: the marks, and of each partition
    /// the runs from the last one on that begins not behind. (Runs don't overlap.)
    pub(super) async fn views_from(
        &mut self,
        topics: &[TopicKey],
        from: &BTreeMap<(TopicKey, i32), i64>,
    ) -> Result<Views, Refusal> {
        let from: Vec<From> = from.iter().map(|(partition, first)| (*partition, *first)).collect();
        let (first, further) = from.split_at(from.len().min(PARTITIONS));
        let mut views = self.some_views_from(topics, first).await?;
        for more in further.chunks(PARTITIONS) {
            // Runs of a partition come with the one part of the list that names it.
            for (topic, more) in self.some_views_from(topics, more).await? {
                let known = views.entry(topic).or_default();
                known.iter_mut().zip(more).for_each(|(view, more)| view.runs.extend(more.runs));
            }
        }
        Ok(views)
    }

    async fn some_views_from(&mut self, topics: &[TopicKey], from: &[From]) -> Result<Views, Refusal> {
        if topics.is_empty() {
            return Ok(Views::new());
        }
        // Few lengths of the list are few statements to prepare: a partition that is none fills it up.
        let none = (((ResourceNumber(-1), Generation(-1)), -1), -1);
        let length = from.len().max(1).next_power_of_two();
        let from: Vec<_> = from.iter().copied().chain(std::iter::repeat(none)).take(length).collect();
        let rows: Vec<ViewRow> = on!(self, |conn| async {
            let mut select = QueryBuilder::new("WITH low (resource, generation, part, first_offset) AS (");
            select.push_values(from, |mut row, (((resource, generation), part), first)| {
                row.push_bind(resource).push_bind(generation).push_bind(part).push_bind(first);
            });
            // Where a partition begins is looked up once for it, not for each of its runs.
            select.push(
                "), start AS MATERIALIZED (SELECT l.resource, l.generation, l.part, \
                 coalesce((SELECT q.first_offset FROM run q \
                 WHERE q.resource = l.resource AND q.generation = l.generation AND q.part = l.part \
                 AND q.first_offset <= l.first_offset ORDER BY q.first_offset DESC LIMIT 1), l.first_offset) \
                 AS first_offset FROM low l) \
                 SELECT m.resource, m.generation, m.part, m.settled, r.first_offset, r.last_offset, r.dead \
                 FROM settled_mark m LEFT JOIN start s \
                 ON s.resource = m.resource AND s.generation = m.generation AND s.part = m.part \
                 LEFT JOIN run r \
                 ON r.resource = m.resource AND r.generation = m.generation AND r.part = m.part \
                 AND r.first_offset >= s.first_offset",
            );
            push_topics(&mut select, topics);
            select.build_query_as().fetch_all(conn).await
        })?;
        gather(rows)
    }
}

fn push_topics<'q, DB>(select: &mut QueryBuilder<DB>, topics: &'q [TopicKey])
where
    DB: Database,
    &'q ResourceNumber: Encode<'q, DB> + Type<DB>,
    &'q Generation: Encode<'q, DB> + Type<DB>,
{
    select.push(" WHERE (m.resource, m.generation) IN (");
    select.push_values(topics, |mut row, (resource, generation)| {
        row.push_bind(resource).push_bind(generation);
    });
    select.push(") ORDER BY m.resource, m.generation, m.part, r.first_offset");
}

fn gather(rows: Vec<ViewRow>) -> Result<Views, Refusal> {
    let mut views = Views::new();
    for row in rows {
        let topic = views.entry((row.resource, row.generation)).or_default();
        let part = usize::try_from(row.part).map_err(|_| internal())?;
        if part == topic.len() {
            topic.push(PartitionView { settled: row.settled, runs: Vec::new() });
        }
        let view = topic.get_mut(part).ok_or_else(internal)?;
        if let (Some(first), Some(last), Some(dead)) = (row.first_offset, row.last_offset, row.dead) {
            let verdict = if dead { Verdict::Dead } else { Verdict::Committed };
            view.runs.push(StoredRun { first, last, verdict });
        }
    }
    Ok(views)
}

/// A run of a topic to be written.
pub(super) type NewRun = (TopicKey, Run, Verdict);

impl Tx {
    /// Under the topics' locks, where no run lies.
    pub(super) async fn insert_runs(&mut self, runs: &[NewRun]) -> Result<(), Refusal> {
        for chunk in runs.chunks(ROWS) {
            let written = rows!(self, |conn| async {
                let mut insert = QueryBuilder::new(
                    "INSERT INTO run (resource, generation, part, first_offset, last_offset, dead) ",
                );
                insert.push_values(chunk, |mut row, ((resource, generation), run, verdict)| {
                    row.push_bind(resource).push_bind(generation).push_bind(run.partition);
                    row.push_bind(run.first).push_bind(run.last).push_bind(*verdict == Verdict::Dead);
                });
                insert.build().execute(conn).await
            })?;
            all(written, chunk.len())?;
        }
        Ok(())
    }

    async fn delete_runs(&mut self, topic: TopicKey, runs: &[(i32, i64)]) -> Result<(), Refusal> {
        for chunk in runs.chunks(ROWS) {
            let written = rows!(self, |conn| async {
                let mut delete = QueryBuilder::new("DELETE FROM run WHERE resource = ");
                delete.push_bind(topic.0).push(" AND generation = ").push_bind(topic.1);
                delete.push(" AND (part, first_offset) IN (");
                delete.push_values(chunk, |mut row, (part, first)| {
                    row.push_bind(part).push_bind(first);
                });
                delete.push(")").build().execute(conn).await
            })?;
            all(written, chunk.len())?;
        }
        Ok(())
    }

    /// Writes what settling changed, by partition.
    pub(super) async fn settle_runs(
        &mut self,
        topic: TopicKey,
        changes: &BTreeMap<i32, Settlement>,
    ) -> Result<(), Refusal> {
        let gone: Vec<(i32, i64)> = changes
            .iter()
            .flat_map(|(part, change)| change.delete.iter().map(|run| (*part, run.first)))
            .collect();
        self.delete_runs(topic, &gone).await?;
        let fresh: Vec<NewRun> = changes
            .iter()
            .flat_map(|(part, change)| change.insert.iter().map(|run| (topic, of(*part, run), run.verdict)))
            .collect();
        self.insert_runs(&fresh).await?;
        let marks: Vec<(i32, i64)> = changes.iter().map(|(part, change)| (*part, change.settled)).collect();
        self.set_marks(topic, &marks).await
    }

    async fn set_marks(&mut self, topic: TopicKey, marks: &[(i32, i64)]) -> Result<(), Refusal> {
        if marks.is_empty() {
            return Ok(());
        }
        let written = rows!(self, |conn| async {
            let mut upsert =
                QueryBuilder::new("INSERT INTO settled_mark (resource, generation, part, settled) ");
            upsert.push_values(marks, |mut row, (part, settled)| {
                row.push_bind(topic.0).push_bind(topic.1).push_bind(part).push_bind(settled);
            });
            upsert.push(" ON CONFLICT (resource, generation, part) DO UPDATE SET settled = excluded.settled");
            upsert.build().execute(conn).await
        })?;
        all(written, marks.len())
    }

    /// What counts in a topic that was copied into, in the commit that puts it in force.
    pub(crate) async fn open_topic(
        &mut self,
        topic: TopicKey,
        settled: &BTreeMap<i32, Settlement>,
    ) -> Result<(), Refusal> {
        self.settle_runs(topic, settled).await
    }

    /// The marks of a topic that is wanted: one for each partition, at 0.
    pub(super) async fn first_marks(&mut self, topic: TopicKey, partitions: i32) -> Result<(), Refusal> {
        let marks: Vec<(i32, i64)> = (0..partitions).map(|part| (part, 0)).collect();
        self.set_marks(topic, &marks).await
    }
}

pub(super) fn of(partition: i32, run: &StoredRun) -> Run {
    Run { partition, first: run.first, last: run.last }
}
