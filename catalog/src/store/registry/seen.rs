//! Who sees what, asked of the store: the rules of `Owner::is_seen_by` as conditions of SQL, so that what others have is
//! not read to be hidden.

use sqlx::{FromRow, query_as};

use crate::account::{Caller, Role};
use crate::error::Refusal;
use crate::ids::{AgencyId, SchemaId};
use crate::registry::{Context, Deleted, Paging, Prefix, Subject};
use crate::store::Session;
use crate::store::dispatch::on;

/// What of a caller decides on what it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) struct Eyes {
    agency: AgencyId,
    authority: bool,
    /// Authority, operator or auditor: they see the subjects of every agency.
    steward: bool,
}

impl Eyes {
    pub fn of(caller: &Caller) -> Self {
        let is = |role| caller.is(role);
        let authority = is(Role::Authority);
        let steward = authority || is(Role::Operator) || is(Role::Auditor);
        Self { agency: caller.agency, authority, steward }
    }
}

/// `$1` the caller's agency, `$2` whether it is the authority, `$3` a steward: of a resource's subject `s` with its
/// entry `r`.
macro_rules! entry_seen {
    () => {
        "(r.provider = $1 OR $2 OR (r.state IN ('published', 'suspended') AND r.share_type <> 'withheld'))"
    };
}

/// Of any subject `s`, with `r` joined where it is a resource's.
macro_rules! subject_seen {
    () => {
        concat!(
            "(s.owner = $1 OR ($3 AND s.owner IS NOT NULL) OR (s.resource IS NOT NULL AND ",
            entry_seen!(),
            "))"
        )
    };
}

/// The subjects that the caller sees and that fit, one part for each way to see one: each finds its own by an index.
macro_rules! seen {
    ($columns:literal, $fits:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM registry_subject s WHERE s.owner = $1 AND ",
            $fits,
            " UNION ALL SELECT ",
            $columns,
            " FROM registry_subject s JOIN resource r ON r.number = s.resource \
             WHERE ",
            entry_seen!(),
            " AND ",
            $fits,
            " UNION ALL SELECT ",
            $columns,
            " FROM registry_subject s WHERE $3 AND s.owner <> $1 AND ",
            $fits
        )
    };
}

/// With a beginning of the name in `$4` and `$5`, and of deleted versions `$6` whether they count, `$7` whether only they.
macro_rules! listed {
    ($order:literal) => {
        concat!(
            "SELECT q.context, q.name FROM (",
            seen!(
                "s.context, s.name",
                "($4 IS NULL OR s.context = $4) AND substr(s.name, 1, length($5)) = $5 AND (s.context, s.name) > ($8, $9) \
                 AND EXISTS (SELECT 1 FROM registry_version v WHERE v.context = s.context AND v.subject = s.name \
                 AND ($6 OR NOT v.deleted)) \
                 AND NOT ($7 AND EXISTS (SELECT 1 FROM registry_version v WHERE v.context = s.context \
                 AND v.subject = s.name AND NOT v.deleted))"
            ),
            ") q ORDER BY ", $order, " LIMIT $10 OFFSET $11"
        )
    };
}

/// With those that its agency opened, in which there may be nothing.
pub(super) const CONTEXTS: &str = concat!(
    "SELECT DISTINCT q.context FROM (",
    seen!("s.context", "s.context <> '.'"),
    " UNION ALL SELECT c.name AS context FROM registry_context c WHERE c.opened_by = $1) q ORDER BY q.context"
);

/// Versions that have the schema `$5` of the context `$4`, under subjects that are seen.
macro_rules! having {
    ($columns:literal, $tail:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM registry_version v JOIN registry_subject s ON s.context = v.context AND s.name = v.subject \
             LEFT JOIN resource r ON r.number = s.resource WHERE v.context = $4 AND v.id = $5 AND ",
            subject_seen!(),
            $tail
        )
    };
}

/// Of one name in `$6` if there is one; `$7` with deleted ones.
macro_rules! users {
    ($columns:literal, $order:literal) => {
        having!(
            $columns,
            concat!(
                " AND ($6 IS NULL OR v.subject = $6) AND ($7 OR NOT v.deleted) ORDER BY ",
                $order,
                " LIMIT $8 OFFSET $9"
            )
        )
    };
}

pub(super) const USES: &str = users!("v.subject, v.version", "v.subject, v.version");

/// Each subject once, so no version is said.
pub(super) const USERS: &str = users!("DISTINCT v.subject, 0", "v.subject");

pub(super) const SEES: &str = concat!("SELECT CASE WHEN EXISTS (", having!("1", ""), ") THEN 1 ELSE 0 END");

pub(super) const NAMES: &str =
    listed!("CASE WHEN q.context = '.' THEN q.name ELSE ':' || q.context || ':' || q.name END");

#[derive(FromRow)]
struct Row {
    context: String,
    name: String,
}

impl From<Row> for Subject {
    fn from(row: Row) -> Self {
        Context::stored(row.context).subject(row.name)
    }
}

/// As numbers of the store; no list is longer.
fn bounds(paging: Paging) -> (i64, i64) {
    let number = |number: usize| i64::from(i32::try_from(number).unwrap_or(i32::MAX));
    (number(paging.limit.unwrap_or(usize::MAX)), number(paging.offset))
}

/// Of a text that may be cut; what is longer than that names no subject.
fn first_string(text: &str) -> Option<String> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

impl Session {
    /// Sorted as clients read them.
    pub(super) async fn seen_names(
        &mut self,
        eyes: Eyes,
        prefix: &Prefix,
        deleted: Deleted,
        paging: Paging,
    ) -> Result<Vec<Subject>, Refusal> {
        self.listed(NAMES, eyes, (prefix, deleted), None, paging).await
    }

    /// By context and name, those behind `after`.
    pub(super) async fn seen_subjects(
        &mut self,
        eyes: Eyes,
        of: (&Prefix, Deleted),
        after: Option<&Subject>,
        most: usize,
    ) -> Result<Vec<Subject>, Refusal> {
        const SUBJECTS: &str = listed!("q.context, q.name");
        self.listed(SUBJECTS, eyes, of, after, Paging { offset: 0, limit: Some(most) }).await
    }

    async fn listed(
        &mut self,
        sql: &'static str,
        eyes: Eyes,
        (prefix, deleted): (&Prefix, Deleted),
        after: Option<&Subject>,
        paging: Paging,
    ) -> Result<Vec<Subject>, Refusal> {
        let (limit, offset) = bounds(paging);
        let rows: Vec<Row> = on!(self, |conn| query_as(sql)
            .bind(eyes.agency)
            .bind(eyes.authority)
            .bind(eyes.steward)
            .bind(prefix.context.as_ref().map(Context::as_str))
            .bind(prefix.name.as_str())
            .bind(deleted.takes(true))
            .bind(deleted == Deleted::Only)
            .bind(after.map_or("", |after| after.context.as_str()))
            .bind(after.map_or("", |after| after.name.as_str()))
            .bind(limit)
            .bind(offset)
            .fetch_all(conn))?;
        Ok(rows.into_iter().map(Subject::from).collect())
    }

    /// Contexts in which the caller sees a subject.
    pub(super) async fn seen_contexts(&mut self, eyes: Eyes) -> Result<Vec<Context>, Refusal> {
        let rows: Vec<(String,)> = on!(self, |conn| query_as(CONTEXTS)
            .bind(eyes.agency)
            .bind(eyes.authority)
            .bind(eyes.steward)
            .fetch_all(conn))?;
        let contexts = rows.into_iter().map(|(name,)| Context::stored(name));
        Ok(contexts.filter(|context| !context.is_default() && !context.is_global()).collect())
    }

    /// Subjects that stand for another, with that other, by context and name; the next of them behind `after`. Of settings
    /// only the beginning is read, where the alias stands.
    pub(super) async fn seen_aliases(
        &mut self,
        eyes: Eyes,
        after: Option<&Subject>,
        most: usize,
    ) -> Result<Vec<(Subject, Option<Subject>)>, Refusal> {
        const ALIASES: &str = concat!(
            "SELECT q.context, q.name, q.alias FROM (",
            seen!(
                "s.context, s.name, substr(s.config, 10, 4000) AS alias",
                "substr(s.config, 1, 9) = '{\"alias\":' AND (s.context, s.name) > ($4, $5)"
            ),
            ") q ORDER BY q.context, q.name LIMIT $6"
        );
        let rows: Vec<(String, String, String)> = on!(self, |conn| query_as(ALIASES)
            .bind(eyes.agency)
            .bind(eyes.authority)
            .bind(eyes.steward)
            .bind(after.map_or("", |after| after.context.as_str()))
            .bind(after.map_or("", |after| after.name.as_str()))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(conn))?;
        let aliases = rows.into_iter().map(|(context, name, begin)| {
            let context = Context::stored(context);
            let of = first_string(&begin).filter(|alias| !alias.is_empty());
            let of = of.map(|alias| context.qualify(&alias));
            (context.subject(name), of)
        });
        Ok(aliases.collect())
    }

    /// Whether the caller sees a subject that has the schema, or is a side of a grant whose records have it.
    pub(super) async fn sees_schema(
        &mut self,
        eyes: Eyes,
        context: &Context,
        id: SchemaId,
    ) -> Result<bool, Refusal> {
        let (sees,): (i32,) = on!(self, |conn| query_as(SEES)
            .bind(eyes.agency)
            .bind(eyes.authority)
            .bind(eyes.steward)
            .bind(context.as_str())
            .bind(id)
            .fetch_one(conn))?;
        Ok(sees == 1 || context.is_default() && self.granted(eyes, id).await?)
    }

    /// Whether records of a grant of the caller's have it, or had it when they were read.
    pub(super) async fn granted(&mut self, eyes: Eyes, id: SchemaId) -> Result<bool, Refusal> {
        const GRANTED: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM grant_schema h \
            JOIN share_grant g ON g.id = h.grant_id JOIN resource r ON r.number = g.resource \
            WHERE h.schema_id = $3 AND ($2 OR r.provider = $1 OR g.consumer = $1)) THEN 1 ELSE 0 END";
        let (granted,): (i32,) = on!(self, |conn| query_as(GRANTED)
            .bind(eyes.agency)
            .bind(eyes.steward)
            .bind(id)
            .fetch_one(conn))?;
        Ok(granted == 1)
    }

    /// Who has a schema, of one subject where a name is given, as far as the caller sees them: `USES` their versions,
    /// `USERS` the subjects.
    pub(super) async fn seen_having(
        &mut self,
        sql: &'static str,
        eyes: Eyes,
        (context, id, name): (&Context, SchemaId, Option<&str>),
        with_deleted: bool,
        paging: Paging,
    ) -> Result<Vec<(Subject, i32)>, Refusal> {
        let (limit, offset) = bounds(paging);
        let rows: Vec<(String, i32)> = on!(self, |conn| query_as(sql)
            .bind(eyes.agency)
            .bind(eyes.authority)
            .bind(eyes.steward)
            .bind(context.as_str())
            .bind(id)
            .bind(name)
            .bind(with_deleted)
            .bind(limit)
            .bind(offset)
            .fetch_all(conn))?;
        Ok(rows.into_iter().map(|(name, version)| (context.subject(name), version)).collect())
    }
}
