//! The subjects of resources: what is in force there, and putting more in force.

use sqlx::{FromRow, query, query_as};

use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{Generation, ResourceNumber, SchemaId, TopicName};
use crate::registry::{InForce, Part, Place, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::from_word;
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    resource: ResourceNumber,
    generation: Generation,
    part: String,
    version: i32,
    schema: SchemaId,
    resource_version: i32,
    at: Time,
}

impl TryFrom<Row> for InForce {
    type Error = Refusal;
    fn try_from(row: Row) -> Result<Self, Refusal> {
        Ok(Self {
            resource: row.resource,
            generation: row.generation,
            part: from_word(row.part)?,
            version: row.version,
            schema: row.schema,
            resource_version: row.resource_version,
            at: row.at,
        })
    }
}

impl Session {
    /// The schemas that are or were in force in a generation of a resource, of its values or of its keys, by version.
    pub async fn versions_of_resource(
        &mut self,
        resource: ResourceNumber,
        generation: Generation,
        part: Part,
    ) -> Result<Vec<InForce>, Refusal> {
        const SELECT: &str = "SELECT s.resource, s.generation, s.part, v.version, v.id AS schema, \
            v.resource_version, v.created_at AS at \
            FROM registry_subject s JOIN registry_version v ON v.context = s.context AND v.subject = s.name \
            WHERE s.resource = $1 AND s.generation = $2 AND s.part = $3 AND v.resource_version IS NOT NULL \
            ORDER BY v.version";
        let found: Vec<Row> = on!(self, |conn| query_as(SELECT)
            .bind(resource)
            .bind(generation)
            .bind(part.as_str())
            .fetch_all(conn))?;
        found.into_iter().map(InForce::try_from).collect()
    }

    /// What a subject of a resource is for, whatever it is called.
    pub(crate) async fn place_of(&mut self, subject: &Subject) -> Result<Option<Place>, Refusal> {
        const SELECT: &str = "SELECT resource, generation, part FROM registry_subject \
            WHERE context = $1 AND name = $2 AND resource IS NOT NULL";
        let found: Option<(ResourceNumber, Generation, String)> = on!(self, |conn| query_as(SELECT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .fetch_optional(conn))?;
        let place = |(resource, generation, part)| Ok(Place { resource, generation, part: from_word(part)? });
        found.map(place).transpose()
    }

    async fn subject_of(
        &mut self,
        resource: ResourceNumber,
        generation: Generation,
        part: Part,
    ) -> Result<Option<String>, Refusal> {
        const SELECT: &str =
            "SELECT name FROM registry_subject WHERE resource = $1 AND generation = $2 AND part = $3";
        let found: Option<(String,)> = on!(self, |conn| query_as(SELECT)
            .bind(resource)
            .bind(generation)
            .bind(part.as_str())
            .fetch_optional(conn))?;
        Ok(found.map(|(name,)| name))
    }
}

impl Tx {
    /// Makes a schema of a resource the next version of its subject, unless it is the latest there. The subject is
    /// opened with its first version, under the name that clients make of the topic's.
    pub async fn put_in_force(
        &mut self,
        topic: &TopicName,
        (resource, generation, part): (ResourceNumber, Generation, Part),
        (schema, resource_version): (SchemaId, i32),
        at: Time,
    ) -> Result<(), Refusal> {
        const VERSION: &str = "INSERT INTO registry_version \
            (context, subject, version, id, deleted, resource_version, created_at) \
            VALUES ('.', $1, $2, $3, FALSE, $4, $5)";
        let subject = match self.subject_of(resource, generation, part).await? {
            Some(subject) => subject,
            None => self.open_subject(topic, (resource, generation, part), at).await?,
        };
        let latest = self.versions_of_resource(resource, generation, part).await?.pop();
        if latest.as_ref().is_some_and(|latest| latest.schema == schema) {
            return Ok(());
        }
        one(rows!(self, |conn| query(VERSION)
            .bind(subject.as_str())
            .bind(latest.map_or(0, |latest| latest.version) + 1)
            .bind(schema)
            .bind(resource_version)
            .bind(at)
            .execute(conn))?)
    }

    async fn open_subject(
        &mut self,
        topic: &TopicName,
        (resource, generation, part): (ResourceNumber, Generation, Part),
        at: Time,
    ) -> Result<String, Refusal> {
        const SUBJECT: &str = "INSERT INTO registry_subject \
            (context, name, resource, generation, part, created_at) VALUES ('.', $1, $2, $3, $4, $5)";
        let name = part.subject(topic);
        one(rows!(self, |conn| query(SUBJECT)
            .bind(name.as_str())
            .bind(resource)
            .bind(generation)
            .bind(part.as_str())
            .bind(at)
            .execute(conn))?)?;
        Ok(name)
    }
}
