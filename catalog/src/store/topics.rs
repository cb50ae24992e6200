//! Topics of records: wanted in a commit first, made in the log afterwards (protocol.md 2).

use sqlx::{FromRow, query, query_as};

use super::dispatch::{on, one, rows};
use super::document::{from_json, to_json};
use super::{Session, Tx};
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{Generation, ResourceNumber, TopicName};
use crate::ports::{Topic, TopicEdges};
use crate::visibility::Run;

#[derive(FromRow)]
struct Row {
    name: TopicName,
    resource: ResourceNumber,
    generation: Generation,
    partitions: i32,
    made: bool,
}

impl From<Row> for Topic {
    fn from(row: Row) -> Self {
        Self {
            name: row.name,
            resource: row.resource,
            generation: row.generation,
            partitions: row.partitions,
            made: row.made,
        }
    }
}

#[derive(FromRow)]
struct EdgesRow {
    #[sqlx(flatten)]
    topic: Row,
    begins: Option<String>,
    ends: Option<String>,
    ended_at: Option<Time>,
    lost: Option<String>,
}

impl Session {
    pub(super) async fn topic(
        &mut self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<Option<Topic>, Refusal> {
        const SELECT: &str = "SELECT name, resource, generation, partitions, made FROM topic \
            WHERE resource = $1 AND generation = $2";
        let row: Option<Row> =
            on!(self, |conn| query_as(SELECT).bind(resource).bind(generation).fetch_optional(conn))?;
        Ok(row.map(Topic::from))
    }

    /// Of generations that are or were in force.
    pub(super) async fn made_topics(&mut self) -> Result<Vec<Topic>, Refusal> {
        const MADE: &str = "SELECT t.name, t.resource, t.generation, t.partitions, t.made FROM topic t \
            JOIN resource r ON r.number = t.resource AND t.generation <= r.generation \
            WHERE t.made ORDER BY t.resource, t.generation";
        let rows: Vec<Row> = on!(self, |conn| query_as(MADE).fetch_all(conn))?;
        Ok(rows.into_iter().map(Topic::from).collect())
    }

    pub(super) async fn generations(&mut self, resource: ResourceNumber) -> Result<Vec<TopicEdges>, Refusal> {
        const SELECT: &str = "SELECT name, resource, generation, partitions, made, begins, ends, ended_at, lost \
            FROM topic WHERE resource = $1 ORDER BY generation";
        let rows: Vec<EdgesRow> = on!(self, |conn| query_as(SELECT).bind(resource).fetch_all(conn))?;
        let edges = |row: EdgesRow| {
            let begins = row.begins.map(|text| from_json(&text)).transpose()?.unwrap_or_default();
            let ends = row.ends.map(|text| from_json(&text)).transpose()?;
            let lost = row.lost.map(|text| from_json(&text)).transpose()?.unwrap_or_default();
            Ok(TopicEdges { topic: row.topic.into(), begins, ends, ended_at: row.ended_at, lost })
        };
        rows.into_iter().map(edges).collect()
    }
}

impl Tx {
    pub(super) async fn insert_topic(&mut self, topic: &Topic) -> Result<(), Refusal> {
        const INSERT: &str =
            "INSERT INTO topic (resource, generation, name, partitions, made) VALUES ($1, $2, $3, $4, $5)";
        one(rows!(self, |conn| query(INSERT)
            .bind(topic.resource)
            .bind(topic.generation)
            .bind(topic.name.as_str())
            .bind(topic.partitions)
            .bind(topic.made)
            .execute(conn))?)
    }

    pub(super) async fn set_topic_made(&mut self, topic: &Topic) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE topic SET made = $1 WHERE resource = $2 AND generation = $3";
        one(rows!(self, |conn| query(UPDATE)
            .bind(true)
            .bind(topic.resource)
            .bind(topic.generation)
            .execute(conn))?)
    }
}

impl Tx {
    /// Where the readers of a generation stop from now on, and what they pass over.
    pub(crate) async fn end_topic(
        &mut self,
        topic: &Topic,
        ends: &[i64],
        lost: &[Run],
        at: Option<Time>,
    ) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE topic SET ends = $3, lost = $4, ended_at = $5 \
            WHERE resource = $1 AND generation = $2";
        let (ends, lost) = (to_json(&ends)?, to_json(&lost)?);
        one(rows!(self, |conn| query(UPDATE)
            .bind(topic.resource)
            .bind(topic.generation)
            .bind(ends.as_str())
            .bind(lost.as_str())
            .bind(at)
            .execute(conn))?)
    }

    /// Where readers that come from the generation before go on.
    pub(crate) async fn begin_topic(&mut self, topic: &Topic, begins: &[i64]) -> Result<(), Refusal> {
        const UPDATE: &str = "UPDATE topic SET begins = $3 WHERE resource = $1 AND generation = $2 AND made";
        let begins = to_json(&begins)?;
        one(rows!(self, |conn| query(UPDATE)
            .bind(topic.resource)
            .bind(topic.generation)
            .bind(begins.as_str())
            .execute(conn))?)
    }

    /// Stops a resource whose log lost records; false if it is stopped already, or another generation is in force.
    pub(super) async fn stop_resource(
        &mut self,
        resource: ResourceNumber,
        generation: Generation,
    ) -> Result<bool, Refusal> {
        const UPDATE: &str = "UPDATE resource SET log_rolled_back = $1 \
            WHERE number = $2 AND generation = $3 AND log_rolled_back = $4";
        let stopped = rows!(self, |conn| query(UPDATE)
            .bind(true)
            .bind(resource)
            .bind(generation)
            .bind(false)
            .execute(conn))?;
        Ok(stopped == 1)
    }
}
