//! Subjects: whose they are, their settings, and how many versions they have.

use sqlx::{FromRow, query, query_as};

use crate::account::Caller;
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{AgencyId, ResourceNumber};
use crate::registry::{Config, Context, Mode, OfResource, Owner, Prefix, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::{checked, from_word, to_json};
use crate::store::error::internal;
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    context: String,
    name: String,
    owner: Option<AgencyId>,
    resource: Option<ResourceNumber>,
    provider: Option<AgencyId>,
    state: Option<String>,
    share_type: Option<String>,
    versions: i64,
    standing: i64,
}

/// A subject as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct SubjectRow {
    pub subject: Subject,
    pub owner: Owner,
    /// Deleted ones included.
    pub versions: i64,
    pub standing: i64,
}

impl TryFrom<Row> for SubjectRow {
    type Error = Refusal;
    fn try_from(row: Row) -> Result<Self, Refusal> {
        let owner = owner(row.owner, row.resource, row.provider, row.state, row.share_type)?;
        Ok(Self {
            subject: Context::stored(row.context).subject(row.name),
            owner,
            versions: row.versions,
            standing: row.standing,
        })
    }
}

pub(super) fn owner(
    agency: Option<AgencyId>,
    resource: Option<ResourceNumber>,
    provider: Option<AgencyId>,
    state: Option<String>,
    share_type: Option<String>,
) -> Result<Owner, Refusal> {
    match (agency, resource, provider, state, share_type) {
        (Some(agency), ..) => Ok(Owner::Agency(agency)),
        (None, Some(number), Some(provider), Some(state), Some(share_type)) => {
            let (state, share_type) = (from_word(state)?, from_word(share_type)?);
            Ok(Owner::Resource(OfResource { number, provider, state, share_type }))
        }
        _ => Err(internal()),
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT s.context, s.name, s.owner, s.resource, r.provider, r.state, r.share_type, \
             (SELECT count(*) FROM registry_version v WHERE v.context = s.context AND v.subject = s.name) \
             AS versions, \
             (SELECT count(*) FROM registry_version v WHERE v.context = s.context AND v.subject = s.name \
             AND NOT v.deleted) AS standing \
             FROM registry_subject s LEFT JOIN resource r ON r.number = s.resource ",
            $tail
        )
    };
}

impl Session {
    pub(crate) async fn subject_row(&mut self, subject: &Subject) -> Result<Option<SubjectRow>, Refusal> {
        let row: Option<Row> = on!(self, |conn| query_as(select!("WHERE s.context = $1 AND s.name = $2"))
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .fetch_optional(conn))?;
        row.map(SubjectRow::try_from).transpose()
    }

    /// Where a subject without a context is looked for next: subjects of its name in other contexts, as far as the caller
    /// sees them.
    pub(crate) async fn elsewhere(
        &mut self,
        caller: &Caller,
        subject: &Subject,
    ) -> Result<Vec<Subject>, Refusal> {
        if !subject.context.is_default() || subject.is_context() {
            return Ok(Vec::new());
        }
        let rows: Vec<Row> =
            on!(self, |conn| query_as(select!("WHERE s.name = $1 AND s.context <> '.' ORDER BY s.context"))
                .bind(subject.name.as_str())
                .fetch_all(conn))?;
        let mut found = Vec::new();
        for row in rows {
            let row = SubjectRow::try_from(row)?;
            found.extend(row.owner.is_seen_by(caller).then_some(row.subject));
        }
        Ok(found)
    }

    /// By context and name, the default context first.
    pub(crate) async fn subject_rows(&mut self, prefix: &Prefix) -> Result<Vec<SubjectRow>, Refusal> {
        let context = prefix.context.as_ref().map(Context::as_str);
        let rows: Vec<Row> = on!(self, |conn| query_as(select!(
            "WHERE ($1 IS NULL OR s.context = $1) AND substr(s.name, 1, length($2)) = $2 \
             ORDER BY s.context, s.name"
        ))
        .bind(context)
        .bind(prefix.name.as_str())
        .fetch_all(conn))?;
        rows.into_iter().map(SubjectRow::try_from).collect()
    }
}

impl Session {
    pub(crate) async fn subjects_of(&mut self, agency: AgencyId) -> Result<usize, Refusal> {
        const COUNT: &str = "SELECT count(*) FROM registry_subject WHERE owner = $1";
        let (count,): (i64,) = on!(self, |conn| query_as(COUNT).bind(agency).fetch_one(conn))?;
        usize::try_from(count).map_err(|_| internal())
    }

    /// The subjects of a context that have a mode of their own.
    pub(crate) async fn subjects_with_mode(&mut self, context: &Context) -> Result<Vec<Subject>, Refusal> {
        const SELECT: &str =
            "SELECT name FROM registry_subject WHERE context = $1 AND mode IS NOT NULL ORDER BY name";
        let rows: Vec<(String,)> = on!(self, |conn| query_as(SELECT).bind(context.as_str()).fetch_all(conn))?;
        Ok(rows.into_iter().map(|(name,)| context.subject(name)).collect())
    }
}

impl Tx {
    pub(crate) async fn insert_subject(
        &mut self,
        subject: &Subject,
        owner: AgencyId,
        at: Time,
    ) -> Result<(), Refusal> {
        const INSERT: &str =
            "INSERT INTO registry_subject (context, name, owner, created_at) VALUES ($1, $2, $3, $4)";
        one(rows!(self, |conn| query(INSERT)
            .bind(subject.context.as_str())
            .bind(checked(&subject.name)?)
            .bind(owner)
            .bind(at)
            .execute(conn))?)
    }

    pub(crate) async fn set_subject_config(
        &mut self,
        subject: &Subject,
        config: Option<&Config>,
    ) -> Result<(), Refusal> {
        const SET: &str = "UPDATE registry_subject SET config = $3 WHERE context = $1 AND name = $2";
        let config = config.map(to_json).transpose()?;
        one(rows!(self, |conn| query(SET)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(config.as_deref())
            .execute(conn))?)
    }

    pub(crate) async fn set_subject_mode(
        &mut self,
        subject: &Subject,
        mode: Option<Mode>,
    ) -> Result<(), Refusal> {
        const SET: &str = "UPDATE registry_subject SET mode = $3 WHERE context = $1 AND name = $2";
        one(rows!(self, |conn| query(SET)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .bind(mode.map(Mode::as_str))
            .execute(conn))?)
    }

    /// Takes a subject away: its name is anybody's again.
    pub(crate) async fn remove_subject(&mut self, subject: &Subject) -> Result<(), Refusal> {
        const DELETE: &str = "DELETE FROM registry_subject WHERE context = $1 AND name = $2";
        one(rows!(self, |conn| query(DELETE)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .execute(conn))?)
    }
}
