//! Settings of contexts, and which settings count for a subject.

use sqlx::{FromRow, query, query_as};

use crate::clock::Time;
use crate::compat::Level;
use crate::error::Refusal;
use crate::ids::{AgencyId, ResourceNumber};
use crate::registry::{Config, Context, Mode, Owner, Subject};
use crate::store::dispatch::{on, one, rows};
use crate::store::document::{checked, from_json, from_word, to_json};
use crate::store::error::internal;
use crate::store::{Session, Tx};

#[derive(FromRow)]
struct Row {
    config: Option<String>,
    mode: Option<String>,
}

impl Row {
    fn set(self) -> Result<Set, Refusal> {
        Ok(Set {
            config: self.config.map(|text| from_json(&text)).transpose()?,
            mode: self.mode.map(from_word).transpose()?,
        })
    }
}

#[derive(FromRow)]
struct SubjectRow {
    config: Option<String>,
    mode: Option<String>,
    resource: Option<ResourceNumber>,
}

/// What is set of a subject or a context itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Set {
    pub config: Option<Config>,
    pub mode: Option<Mode>,
}

impl Session {
    /// What a subject or a context says of itself. Of a resource's subject the level is the bus's.
    pub(crate) async fn set_of(&mut self, subject: &Subject) -> Result<Set, Refusal> {
        if subject.is_context() {
            return self.set_of_context(&subject.context).await;
        }
        const SELECT: &str =
            "SELECT config, mode, resource FROM registry_subject WHERE context = $1 AND name = $2";
        let row: Option<SubjectRow> = on!(self, |conn| query_as(SELECT)
            .bind(subject.context.as_str())
            .bind(subject.name.as_str())
            .fetch_optional(conn))?;
        let Some(row) = row else { return Ok(Set::default()) };
        if row.resource.is_some() {
            return Ok(Set { config: Some(Config::of_level(Level::OF_RESOURCES)), mode: None });
        }
        Row { config: row.config, mode: row.mode }.set()
    }

    async fn set_of_context(&mut self, context: &Context) -> Result<Set, Refusal> {
        const SELECT: &str = "SELECT config, mode FROM registry_context WHERE name = $1";
        let row: Option<Row> =
            on!(self, |conn| query_as(SELECT).bind(context.as_str()).fetch_optional(conn))?;
        row.map_or_else(|| Ok(Set::default()), Row::set)
    }

    /// The settings that count: of a resource's subject the bus's alone. Of others the subject's over those of the default context; without its own those of its context,
    /// of all contexts, or none.
    pub(crate) async fn config_in_scope(&mut self, subject: &Subject) -> Result<Config, Refusal> {
        let of_default = Config::of_level(Level::OF_OTHERS);
        if let Some(Owner::Resource(_)) = self.subject_row(subject).await?.map(|row| row.owner) {
            return Ok(Config::of_level(Level::OF_RESOURCES));
        }
        let own = self.set_of(subject).await?.config;
        if let (Some(own), false) = (own, subject.is_context()) {
            let below = self.set_of_context(&Context::default()).await?.config.unwrap_or_default();
            return Ok(own.over(&below).over(&of_default));
        }
        for context in [&subject.context, &Context::global()] {
            if let Some(config) = self.set_of_context(context).await?.config {
                return Ok(config.over(&of_default));
            }
        }
        Ok(of_default)
    }

    /// The subject's own mode, or its context's, or that of all contexts; where everything is only to be read, whatever
    /// is said of a part of it, that.
    pub(crate) async fn mode_in_scope(&mut self, subject: &Subject) -> Result<Mode, Refusal> {
        for context in [&subject.context, &Context::default(), &Context::global()] {
            if self.set_of_context(context).await?.mode == Some(Mode::ReadOnlyOverride) {
                return Ok(Mode::ReadOnlyOverride);
            }
        }
        if let Some(mode) = self.set_of(subject).await?.mode {
            return Ok(mode);
        }
        for context in [&subject.context, &Context::global()] {
            if let Some(mode) = self.set_of_context(context).await?.mode {
                return Ok(mode);
            }
        }
        Ok(Mode::default())
    }

    /// Contexts that are there, the default one first.
    pub(crate) async fn contexts(&mut self) -> Result<Vec<Context>, Refusal> {
        const SELECT: &str = "SELECT name FROM registry_context ORDER BY name";
        let rows: Vec<(String,)> = on!(self, |conn| query_as(SELECT).fetch_all(conn))?;
        let others = rows.into_iter().map(|(name,)| Context::stored(name));
        let others = others.filter(|context| !context.is_default() && !context.is_global());
        Ok([Context::default()].into_iter().chain(others).collect())
    }

    pub(crate) async fn has_context(&mut self, context: &Context) -> Result<bool, Refusal> {
        const SELECT: &str = "SELECT name FROM registry_context WHERE name = $1";
        let row: Option<(String,)> =
            on!(self, |conn| query_as(SELECT).bind(context.as_str()).fetch_optional(conn))?;
        Ok(row.is_some())
    }

    /// Who opened a context, if it is there.
    pub(crate) async fn opener(&mut self, context: &Context) -> Result<Option<AgencyId>, Refusal> {
        const SELECT: &str = "SELECT opened_by FROM registry_context WHERE name = $1";
        let row: Option<(Option<AgencyId>,)> =
            on!(self, |conn| query_as(SELECT).bind(context.as_str()).fetch_optional(conn))?;
        Ok(row.and_then(|(agency,)| agency))
    }

    /// How many contexts that are there an agency opened, but those in which only others have a subject or a setting.
    pub(crate) async fn contexts_of(&mut self, agency: AgencyId) -> Result<usize, Refusal> {
        const COUNT: &str = "SELECT count(*) FROM registry_context c WHERE c.opened_by = $1 AND \
            (EXISTS (SELECT 1 FROM registry_subject s WHERE s.context = c.name AND s.owner = $1) \
             OR c.config IS NULL AND c.mode IS NULL \
                AND NOT EXISTS (SELECT 1 FROM registry_subject s WHERE s.context = c.name))";
        let (count,): (i64,) = on!(self, |conn| query_as(COUNT).bind(agency).fetch_one(conn))?;
        usize::try_from(count).map_err(|_| internal())
    }
}

impl Tx {
    /// A context is there from its first subject or setting on.
    pub(crate) async fn open_context(
        &mut self,
        context: &Context,
        by: AgencyId,
        at: Time,
    ) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO registry_context (name, opened_by, created_at) VALUES ($1, $2, $3) \
            ON CONFLICT (name) DO NOTHING";
        let name = checked(context.as_str())?;
        rows!(self, |conn| query(INSERT).bind(name).bind(by).bind(at).execute(conn)).map(drop)
    }

    pub(crate) async fn set_context_config(
        &mut self,
        context: &Context,
        config: Option<&Config>,
    ) -> Result<(), Refusal> {
        const SET: &str = "UPDATE registry_context SET config = $2 WHERE name = $1";
        let config = config.map(to_json).transpose()?;
        one(rows!(self, |conn| query(SET).bind(context.as_str()).bind(config.as_deref()).execute(conn))?)
    }

    pub(crate) async fn set_context_mode(
        &mut self,
        context: &Context,
        mode: Option<Mode>,
    ) -> Result<(), Refusal> {
        const SET: &str = "UPDATE registry_context SET mode = $2 WHERE name = $1";
        one(rows!(self, |conn| query(SET).bind(context.as_str()).bind(mode.map(Mode::as_str)).execute(conn))?)
    }

    /// False if there is none.
    pub(crate) async fn remove_context(&mut self, context: &Context) -> Result<bool, Refusal> {
        const DELETE: &str = "DELETE FROM registry_context WHERE name = $1";
        Ok(rows!(self, |conn| query(DELETE).bind(context.as_str()).execute(conn))? == 1)
    }
}
