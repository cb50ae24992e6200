//! Schemas by id, as readers of records ask for them: what an id says never changes, who has it rarely, so an answer is
//! remembered for a moment (`recall.rs`).

use std::sync::Arc;

use sqlx::{FromRow, query_as};
use uuid::Uuid;

use super::contents::Stored;
use super::subjects::owner;
use crate::account::Caller;
use crate::error::Refusal;
use crate::ids::{AgencyId, ResourceNumber, SchemaId};
use crate::registry::{Context, Known, Owner, Subject, Use, Version, Wrong};
use crate::store::dispatch::on;
use crate::store::{Session, Store};

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
        const VERSIONS: &str = "SELECT v.subject, v.version, v.deleted, s.owner, s.resource, r.provider, r.state, \
            r.share_type \
            FROM registry_version v JOIN registry_subject s ON s.context = v.context AND s.name = v.subject \
            LEFT JOIN resource r ON r.number = s.resource \
            WHERE v.context = $1 AND v.id = $2 ORDER BY v.subject, v.version";
        const GRANTS: &str = "SELECT r.provider, g.consumer FROM share_grant g \
            JOIN resource r ON r.number = g.resource WHERE g.schema_id = $1";
        let rows: Vec<UseRow> =
            on!(self, |conn| query_as(VERSIONS).bind(context.as_str()).bind(id).fetch_all(conn))?;
        let mut uses = Vec::with_capacity(rows.len());
        for row in rows {
            let owner = owner(row.owner, row.resource, row.provider, row.state, row.share_type)?;
            let subject = context.subject(row.subject);
            let version = Version { subject, version: row.version, deleted: row.deleted };
            uses.push(Use { owner, version: Some(version) });
        }
        if context.is_default() {
            let grants: Vec<(AgencyId, AgencyId)> =
                on!(self, |conn| query_as(GRANTS).bind(id).fetch_all(conn))?;
            let used =
                |(provider, consumer)| Use { owner: Owner::Grant { provider, consumer }, version: None };
            uses.extend(grants.into_iter().map(used));
        }
        Ok(uses)
    }

    async fn known(&mut self, stored: Stored) -> Result<Known, Refusal> {
        let uses = self.uses(&stored.context, stored.id).await?;
        let Stored { context, id, content, guid, at } = stored;
        Ok(Known { context, id, content, guid, at, uses })
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
        if let Some(subject) = subject
            && found.as_ref().is_none_or(|known| !known.is_meant_by(caller, subject))
        {
            let elsewhere = self.read().await?.elsewhere(caller, subject).await?;
            for there in elsewhere {
                let known = self.known(&there.context, SchemaId(id)).await?;
                if let Some(known) = known.filter(|known| known.version_in(&there).is_some()) {
                    found = Some(known);
                    break;
                }
            }
        }
        let seen = found.filter(|known| known.is_seen_by(caller));
        seen.ok_or_else(|| Wrong::SchemaNotFound(Some(id.to_string())))
    }

    /// A schema by its guid: that of the default context first.
    pub async fn registry_guid(&self, caller: &Caller, guid: &str) -> Result<Arc<Known>, Wrong> {
        let known = self.all_of_guid(caller, guid).await?.into_iter().next();
        known.map(Arc::new).ok_or_else(|| Wrong::SchemaNotFound(Some(guid.to_owned())))
    }

    /// The ids that the schema of a guid has.
    pub async fn registry_guid_ids(
        &self,
        caller: &Caller,
        guid: &str,
    ) -> Result<Vec<(Context, SchemaId)>, Wrong> {
        let known = self.all_of_guid(caller, guid).await?;
        Ok(known.into_iter().map(|known| (known.context, known.id)).collect())
    }

    async fn all_of_guid(&self, caller: &Caller, guid: &str) -> Result<Vec<Known>, Wrong> {
        let Ok(guid) = Uuid::parse_str(guid) else { return Ok(Vec::new()) };
        let mut session = self.read().await?;
        let mut found = Vec::new();
        for stored in session.stored_by_guid(guid).await? {
            found.extend(Some(session.known(stored).await?).filter(|known| known.is_seen_by(caller)));
        }
        Ok(found)
    }

    /// The versions that have a schema, as far as the caller sees them.
    pub async fn registry_uses(
        &self,
        caller: &Caller,
        id: i32,
        subject: Option<&Subject>,
        with_deleted: bool,
    ) -> Result<Vec<(Subject, i32)>, Wrong> {
        let known = self.registry_schema(caller, id, subject).await?;
        let seen = known.uses.iter().filter(|used| used.owner.is_seen_by(caller));
        let versions = seen.filter_map(|used| used.version.as_ref());
        let shown = versions.filter(|version| with_deleted || !version.deleted);
        Ok(shown.map(|version| (version.subject.clone(), version.version)).collect())
    }
}
