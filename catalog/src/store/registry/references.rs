//! Which schemas refer to which versions, and the texts that a schema needs to be read.

use std::collections::HashMap;

use sqlx::{FromRow, query, query_as};

use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::{
    Context, Earlier, MOST_REFERENCED_BYTES, MOST_REFERENCES, Reference, Subject, Wrong, no_such_reference,
    referred,
};
use crate::store::dispatch::{on, one, rows};
use crate::store::error::internal;
use crate::store::{Session, Tx};

/// What a schema refers to, found.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// With the numbers of versions that were only called the latest.
    pub references: Vec<Reference>,
    /// The versions that they mean.
    pub versions: Vec<(Subject, Earlier)>,
    /// Texts of all of them, each before those that name it.
    pub texts: Vec<String>,
}

#[derive(FromRow)]
struct ReferrerRow {
    context: String,
    subject: String,
    id: SchemaId,
    deleted: bool,
}

/// A version that refers to another.
#[derive(Debug, Clone)]
pub(crate) struct Referrer {
    pub subject: Subject,
    pub id: SchemaId,
    pub deleted: bool,
}

impl Session {
    /// Finds what references lead to, and what those refer to in turn. Something new refers to what is not deleted only.
    pub(crate) async fn resolve(
        &mut self,
        context: &Context,
        references: &[Reference],
        with_deleted: bool,
    ) -> Result<Resolved, Wrong> {
        let mut found = Resolved::default();
        // By name: the version, and how many texts there are once it is done.
        let mut visited: HashMap<String, i32> = HashMap::new();
        let mut todo = Vec::new();
        for reference in references {
            let subject = referred(context, reference);
            let mut resolved = reference.clone();
            let version = self.referred_version(&subject, reference.version, with_deleted).await?;
            resolved.version = version.version;
            found.versions.push((subject, version));
            todo.push(Step::Enter(context.clone(), resolved.clone()));
            found.references.push(resolved);
        }
        todo.reverse();
        let mut bytes = 0;
        while let Some(step) = todo.pop() {
            let (within, reference) = match step {
                Step::Leave(text) => {
                    bytes += text.len();
                    if bytes > MOST_REFERENCED_BYTES {
                        return Err(Wrong::TooLarge);
                    }
                    found.texts.push(text);
                    continue;
                }
                Step::Enter(within, reference) => (within, reference),
            };
            if let Some(version) = visited.insert(reference.name.clone(), reference.version) {
                check_one_version(&reference, version)?;
                continue;
            }
            if visited.len() > MOST_REFERENCES {
                return Err(Wrong::TooLarge);
            }
            let subject = referred(&within, &reference);
            let version = self.referred_version(&subject, reference.version, with_deleted).await?;
            let stored = self.stored_schema(&subject.context, version.id).await?.ok_or_else(internal)?;
            todo.push(Step::Leave(stored.content.text.clone()));
            let inner = stored.content.beside.references.iter().rev().cloned();
            todo.extend(inner.map(|inner| Step::Enter(subject.context.clone(), inner)));
        }
        Ok(found)
    }

    /// The version that a reference means.
    async fn referred_version(
        &mut self,
        subject: &Subject,
        version: i32,
        with_deleted: bool,
    ) -> Result<Earlier, Wrong> {
        let found = self.one_version(subject, version, with_deleted).await?;
        found.ok_or_else(|| no_such_reference(subject, version))
    }

    /// The versions whose schemas refer to a version.
    pub(crate) async fn referrers(
        &mut self,
        subject: &Subject,
        version: i32,
    ) -> Result<Vec<Referrer>, Refusal> {
        const SELECT: &str = "SELECT v.context, v.subject, v.id, v.deleted FROM registry_reference f \
            JOIN registry_version v ON v.context = f.context AND v.id = f.id \
            WHERE f.to_context = $1 AND f.to_subject = $2 AND f.to_version = $3 \
            ORDER BY v.context, v.id, v.subject";
        let rows: Vec<ReferrerRow> = on!(self, |conn| query_as(SELECT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(version)
            .fetch_all(conn))?;
        let referrer = |row: ReferrerRow| Referrer {
            subject: Context::stored(row.context).subject(row.subject),
            id: row.id,
            deleted: row.deleted,
        };
        Ok(rows.into_iter().map(referrer).collect())
    }
}

enum Step {
    /// Within the context of the schema that refers.
    Enter(Context, Reference),
    /// Everything that the text names stands before it.
    Leave(String),
}

fn check_one_version(reference: &Reference, earlier: i32) -> Result<(), Wrong> {
    if earlier == reference.version {
        return Ok(());
    }
    Err(Wrong::InvalidSchema(format!(
        "Invalid schema, details: Conflicting reference versions for \"{}\": version {earlier} and version {}",
        reference.name, reference.version
    )))
}

impl Tx {
    pub(crate) async fn keep_references(
        &mut self,
        context: &Context,
        id: SchemaId,
        references: &[Reference],
    ) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO registry_reference \
            (context, id, place, to_context, to_subject, to_version) VALUES ($1, $2, $3, $4, $5, $6)";
        for (place, reference) in (0_i32..).zip(references) {
            let to = referred(context, reference);
            one(rows!(self, |conn| query(INSERT)
                .bind(context.as_str())
                .bind(id)
                .bind(place)
                .bind(to.context.as_str())
                .bind(to.name.as_str())
                .bind(reference.version)
                .execute(conn))?)?;
        }
        Ok(())
    }
}
