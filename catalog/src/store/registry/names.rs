//! Subjects of resources that were opened before their topics had names: the migration that made them knew no prefix.

use sqlx::{FromRow, query, query_as};

use crate::error::Refusal;
use crate::ids::{Generation, ResourceNumber, TopicName};
use crate::registry::{Context, Part};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::from_word;
use crate::store::{LockClass, Session, Store, Tx};

#[derive(FromRow)]
struct Row {
    name: String,
    resource: ResourceNumber,
    generation: Generation,
    part: String,
}

struct Misnamed {
    old: String,
    new: String,
    part: Part,
}

impl Store {
    /// At each start; finds nothing to do from the second on. Where there is a topic, its name is the subject's already.
    pub async fn name_subjects(&self, prefix: &str) -> Result<(), Refusal> {
        if self.read().await?.misnamed(prefix).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.lock_exclusive(LockClass::Registry, Context::default()).await?;
        for subject in tx.misnamed(prefix).await? {
            tx.rename_subject(&subject).await?;
        }
        tx.finish().await
    }
}

impl Session {
    async fn misnamed(&mut self, prefix: &str) -> Result<Vec<Misnamed>, Refusal> {
        const WITHOUT_TOPIC: &str = "SELECT s.name, s.resource, s.generation, s.part FROM registry_subject s \
            WHERE s.resource IS NOT NULL AND NOT EXISTS \
            (SELECT 1 FROM topic t WHERE t.resource = s.resource AND t.generation = s.generation)";
        let rows: Vec<Row> = on!(self, |conn| query_as(WITHOUT_TOPIC).fetch_all(conn))?;
        let mut misnamed = Vec::new();
        for Row { name: old, resource, generation, part } in rows {
            let part: Part = from_word(part)?;
            let new = part.subject(&TopicName::records(prefix, resource, generation));
            misnamed.extend((old != new).then_some(Misnamed { old, new, part }));
        }
        Ok(misnamed)
    }
}

impl Tx {
    /// Versions belong to a name, and a resource has one subject of a part: the old row steps aside before it goes.
    async fn rename_subject(&mut self, Misnamed { old, new, part }: &Misnamed) -> Result<(), Refusal> {
        const ASIDE: &str = "UPDATE registry_subject SET part = 'old' WHERE context = '.' AND name = $1";
        const INSERT: &str = "INSERT INTO registry_subject \
            (context, name, owner, resource, generation, part, config, mode, created_at) \
            SELECT context, $2, owner, resource, generation, $3, config, mode, created_at \
            FROM registry_subject WHERE context = '.' AND name = $1";
        const VERSIONS: &str =
            "UPDATE registry_version SET subject = $2 WHERE context = '.' AND subject = $1";
        const REFERENCES: &str =
            "UPDATE registry_reference SET to_subject = $2 WHERE to_context = '.' AND to_subject = $1";
        const DELETE: &str = "DELETE FROM registry_subject WHERE context = '.' AND name = $1";
        let (old, new) = (old.as_str(), new.as_str());
        one(rows!(self, |conn| query(ASIDE).bind(old).execute(conn))?)?;
        one(rows!(self, |conn| query(INSERT).bind(old).bind(new).bind(part.as_str()).execute(conn))?)?;
        rows!(self, |conn| query(VERSIONS).bind(old).bind(new).execute(conn))?;
        rows!(self, |conn| query(REFERENCES).bind(old).bind(new).execute(conn))?;
        one(rows!(self, |conn| query(DELETE).bind(old).execute(conn))?)
    }
}
