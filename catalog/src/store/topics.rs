//! Topics of records: wanted in a commit first, made in the log afterwards (protocol.md 2).

use sqlx::{FromRow, query, query_as, query_scalar};

use super::dispatch::{on, one, rows};
use super::{Session, Tx};
use crate::error::Refusal;
use crate::ids::{Generation, ResourceNumber, TopicName};
use crate::ports::Topic;

#[derive(FromRow)]
struct Row {
    name: TopicName,
    resource: ResourceNumber,
    generation: Generation,
    partitions: i32,
    made: bool,
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
        Ok(row.map(|row| Topic {
            name: row.name,
            resource: row.resource,
            generation: row.generation,
            partitions: row.partitions,
            made: row.made,
        }))
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
    /// Stops a resource whose log lost records; `None` if it is stopped already or there is none. Its generation else.
    pub(super) async fn stop_resource(
        &mut self,
        resource: ResourceNumber,
    ) -> Result<Option<Generation>, Refusal> {
        const UPDATE: &str = "UPDATE resource SET log_rolled_back = $1 WHERE number = $2 AND log_rolled_back = $3 \
            RETURNING generation";
        on!(self, |conn| query_scalar(UPDATE).bind(true).bind(resource).bind(false).fetch_optional(conn))
    }
}
