//! Schemas by id, as readers of records ask for them: what an id says never changes, who has it rarely, so an answer is
//! remembered for a moment (`recall.rs`).

use std::sync::Arc;

use sqlx::{FromRow, query_as};
use uuid::Uuid;

use super::contents::Stored;
use super::seen::{USERS, USES};
use super::subjects::owner;
use crate::account::Caller;
use crate::error::Refusal;
use crate::ids::{AgencyId, ResourceNumber, SchemaId};
use crate::registry::{Context, Known, Owner, Paging, Subject, Use, Version, Wrong};
use crate::store::dispatch::on;
use crate::store::registry::Eyes;
use crate::store::{Session, Store};

/// Uses that are kept with a schema. Whoever sees none of them is looked for among all there are, by the store.
const MOST_USES: usize = 100;

pub(super) const GRANTS: &str = "SELECT r.provider, g.consumer FROM grant_schema h \
    JOIN share_grant g ON g.id = h.grant_id JOIN resource r ON r.number = g.resource \
    WHERE h.schema_id = $1 LIMIT $2";

/// Those of the id first: in the order that is asked for there are all versions of the context.
pub(super) const VERSIONS: &str = "WITH v AS MATERIALIZED \
    (SELECT context, subject, version, deleted FROM registry_version WHERE context = $1 AND id = $2) \
    SELECT v.subject, v.version, v.deleted, s.owner, s.resource, r.provider, r.state, r.share_type \
    FROM v JOIN registry_subject s ON s.context = v.context AND s.name = v.subject \
    LEFT JOIN resource r ON r.number = s.resource \
    ORDER BY v.subject, v.version LIMIT $3";

#[derive(FromRow)]
struct UseRow {
    subject: String,
    version: i32,
    deleted: bool,
    owner: Option<AgencyId>,
    resource: Option<ResourceNumber>,
    provider: Option<AgencyId>,
    state: Option<String>,
    share_type: Option<String>,
}

impl Session {
    async fn uses(&mut self, context: &Context, id: SchemaId) -> Result<Vec<Use>, Refusal> {
        let most = i64::try_from(MOST_USES).unwrap_or(i64::MAX) + 1;
        let rows: Vec<UseRow> =
            on!(self, |conn| query_as(VERSIONS).bind(context.as_str()).bind(id).bind(most).fetch_all(conn))?;
        let mut uses = Vec::with_capacity(rows.len());
        for row in rows {
            let owner = owner(row.owner, row.resource, row.provider, row.state, row.share_type)?;
            let subject = context.subject(row.subject);
            let version = Version { subject, version: row.version, deleted: row.deleted };
            uses.push(Use { owner, version: Some(version) });
        }
        if context.is_default() {
            let grants: Vec<(AgencyId, AgencyId)> =
                on!(self, |conn| query_as(GRANTS).bind(id).bind(most).fetch_all(conn))?;
            let used =
                |(provider, consumer)| Use { owner: Owner::Grant { provider, consumer }, version: None };
            uses.extend(grants.into_iter().map(used));
        }
        Ok(uses)
    }

    async fn known(&mut self, stored: Stored) -> Result<Known, Refusal> {
        let mut uses = self.uses(&stored.context, stored.id).await?;
        let whole = uses.len() <= MOST_USES;
        uses.truncate(MOST_USES);
        let Stored { context, id, content, guid, at } = stored;
        Ok(Known { context, id, content, guid, at, uses, whole })
    }
}

impl Store {
    async fn known(&self, context: &Context, id: SchemaId) -> Result<Option<Arc<Known>>, Refusal> {
        let asked = self.recall.ask();
        let key = (context.clone(), id);
        if let Some(known) = self.recall.schemas.get(&key, asked) {
            return Ok(Some(known));
        }
        let mut session = self.read().await?;
        let Some(stored) = session.stored_schema(context, id).await? else { return Ok(None) };
        let known = Arc::new(session.known(stored).await?);
        self.recall.schemas.put(key, asked, known.clone());
        Ok(Some(known))
    }

    /// Whether the caller sees anything that has a schema.
    async fn sees(&self, known: &Known, caller: &Caller) -> Result<bool, Refusal> {
        if known.whole || known.is_seen_by(caller) {
            return Ok(known.is_seen_by(caller));
        }
        self.sees_any(&known.context, known.id, caller).await
    }

    /// The same, asked of the store, for which the schema is not read.
    async fn sees_any(&self, context: &Context, id: SchemaId, caller: &Caller) -> Result<bool, Refusal> {
        let asked = self.recall.ask();
        let key = (context.clone(), id, Eyes::of(caller));
        if let Some(sees) = self.recall.seen.get(&key, asked) {
            return Ok(sees);
        }
        let sees = self.read().await?.sees_schema(key.2, context, id).await?;
        self.recall.seen.put(key, asked, sees);
        Ok(sees)
    }

    /// Whether a subject has it.
    async fn has(&self, known: &Known, subject: &Subject) -> Result<bool, Refusal> {
        if known.whole || known.version_in(subject).is_some() {
            return Ok(known.version_in(subject).is_some());
        }
        let versions = self.read().await?.versions_of(subject).await?;
        Ok(subject.context == known.context && versions.iter().any(|one| one.id == known.id))
    }

    /// Whether whoever names a subject with the id can mean this one only: the subject has it, or the id is of a grant of
    /// the caller's, whose records name no subject.
    async fn is_meant(&self, known: &Known, caller: &Caller, subject: &Subject) -> Result<bool, Refusal> {
        if known.is_meant_by(caller, subject) || self.has(known, subject).await? {
            return Ok(true);
        }
        let granted = !known.whole && known.context.is_default();
        Ok(granted && self.read().await?.granted(Eyes::of(caller), known.id).await?)
    }

    /// A schema by its id, in the context of a subject if one is named. A subject without a context is also looked for
    /// in the others.
    pub async fn registry_schema(
        &self,
        caller: &Caller,
        id: i32,
        subject: Option<&Subject>,
    ) -> Result<Arc<Known>, Wrong> {
        let context = subject.map(|subject| subject.context.clone()).unwrap_or_default();
        let mut found = self.known(&context, SchemaId(id)).await?;
        if let Some(subject) = subject {
            let meant = match &found {
                Some(known) => self.is_meant(known, caller, subject).await?,
                None => false,
            };
            let elsewhere = if meant { Vec::new() } else { self.elsewhere(caller, subject).await? };
            for there in elsewhere {
                let Some(known) = self.known(&there.context, SchemaId(id)).await? else { continue };
                if self.has(&known, &there).await? {
                    found = Some(known);
                    break;
                }
            }
        }
        if let Some(known) = found
            && self.sees(&known, caller).await?
        {
            return Ok(known);
        }
        Err(Wrong::SchemaNotFound(Some(id.to_string())))
    }

    async fn elsewhere(&self, caller: &Caller, subject: &Subject) -> Result<Vec<Subject>, Refusal> {
        self.read().await?.elsewhere(caller, subject).await
    }

    /// A schema by its guid: that of the default context first. Every context may have it: the first that is seen is read,
    /// and no other.
    pub async fn registry_guid(&self, caller: &Caller, guid: &str) -> Result<Arc<Known>, Wrong> {
        for (context, id) in self.ids_of_guid(guid).await? {
            if self.sees_any(&context, id, caller).await?
                && let Some(known) = self.known(&context, id).await?
            {
                return Ok(known);
            }
        }
        Err(Wrong::SchemaNotFound(Some(guid.to_owned())))
    }

    /// The ids that the schema of a guid has.
    pub async fn registry_guid_ids(
        &self,
        caller: &Caller,
        guid: &str,
    ) -> Result<Vec<(Context, SchemaId)>, Wrong> {
        let mut seen = Vec::new();
        for (context, id) in self.ids_of_guid(guid).await? {
            if self.sees_any(&context, id, caller).await? {
                seen.push((context, id));
            }
        }
        Ok(seen)
    }

    async fn ids_of_guid(&self, guid: &str) -> Result<Vec<(Context, SchemaId)>, Refusal> {
        let Ok(guid) = Uuid::parse_str(guid) else { return Ok(Vec::new()) };
        self.read().await?.ids_of_guid(guid).await
    }

    /// The versions that have a schema, as far as the caller sees them; where a subject is named, its own.
    pub async fn registry_uses(
        &self,
        caller: &Caller,
        id: i32,
        subject: Option<&Subject>,
        with_deleted: bool,
        paging: Paging,
    ) -> Result<Vec<(Subject, i32)>, Wrong> {
        self.having(USES, caller, (id, subject), with_deleted, paging).await
    }

    /// The subjects of those versions.
    pub async fn registry_users(
        &self,
        caller: &Caller,
        id: i32,
        subject: Option<&Subject>,
        with_deleted: bool,
        paging: Paging,
    ) -> Result<Vec<Subject>, Wrong> {
        let users = self.having(USERS, caller, (id, subject), with_deleted, paging).await?;
        Ok(users.into_iter().map(|(subject, _)| subject).collect())
    }

    async fn having(
        &self,
        sql: &'static str,
        caller: &Caller,
        (id, subject): (i32, Option<&Subject>),
        with_deleted: bool,
        paging: Paging,
    ) -> Result<Vec<(Subject, i32)>, Wrong> {
        let known = self.registry_schema(caller, id, subject).await?;
        let of = (&known.context, known.id, name(subject));
        Ok(self.read().await?.seen_having(sql, Eyes::of(caller), of, with_deleted, paging).await?)
    }
}

/// Of a subject, not of a whole context.
fn name(subject: Option<&Subject>) -> Option<&str> {
    subject.filter(|subject| !subject.is_context()).map(|subject| subject.name.as_str())
}
