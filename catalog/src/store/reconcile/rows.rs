//! Rows that a decision reads and writes beside those of its topics.

use std::collections::BTreeSet;

use sqlx::{query, query_as, query_scalar};

use super::super::Tx;
use super::super::dispatch::{on, rows};
use super::super::error::internal;
use super::super::visibility::TopicKey;
use super::decide::Decision;
use super::exported::{Exported, numbers};
use crate::error::Refusal;
use crate::ids::{AccountId, ResourceNumber};

impl Tx {
    pub(super) async fn has_event(&mut self, event: &Exported) -> Result<bool, Refusal> {
        const SELECT: &str = "SELECT count(*) FROM audit_event WHERE day = $1 AND id = $2";
        let found: i64 =
            on!(self, |conn| query_scalar(SELECT).bind(event.day()).bind(event.id).fetch_one(conn))?;
        Ok(found > 0)
    }

    /// The event as it was, byte for byte.
    pub(super) async fn keep_event(&mut self, event: &Exported) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT INTO audit_event \
            (day, id, at, code, agency, account, resource, grant_id, body) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let written = rows!(self, |conn| query(INSERT)
            .bind(event.day())
            .bind(event.id)
            .bind(event.at)
            .bind(event.code.as_str())
            .bind(event.agency)
            .bind(event.account)
            .bind(event.resource)
            .bind(event.grant)
            .bind(event.body.as_slice())
            .execute(conn))?;
        if written == 1 { Ok(()) } else { Err(internal()) }
    }

    /// Above everything that topics, prefixes of records and events show to be given out; and schema ids well beyond, as
    /// most of them lie in no topic of the bus.
    pub(super) async fn raise_counters(&mut self, decision: &Decision<'_>) -> Result<(), Refusal> {
        let mut shown = numbers(decision.events);
        let mut show = |name: &str, number: i64| {
            let stored = shown.entry(name.to_owned()).or_insert(0);
            *stored = number.max(*stored);
        };
        decision.holds.topics.keys().for_each(|(resource, _)| show("resource", resource.0));
        decision.holds.schema.iter().for_each(|schema| show("schema", i64::from(schema.0)));
        for (name, number) in shown.iter().filter(|(_, number)| **number > 0) {
            self.raise_number(name, *number).await?;
        }
        self.raise_all_schema_ids().await?;
        self.take_generations(decision.holds.topics.keys().copied().collect()).await
    }

    /// A topic of a generation that was given up is never copied into.
    async fn take_generations(&mut self, held: BTreeSet<TopicKey>) -> Result<(), Refusal> {
        const TAKE: &str = "INSERT INTO topic (resource, generation, name, partitions, made, ends) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        for (resource, generation) in held {
            let Some(entry) = self.resource(resource).await? else { continue };
            if generation <= entry.generation {
                continue;
            }
            if let Some(known) = self.topic(resource, generation).await? {
                self.end_topic(&known, &[], &[], None).await?;
                continue;
            }
            let name = format!("forgotten.{resource}.{generation}");
            rows!(self, |conn| query(TAKE)
                .bind(resource)
                .bind(generation)
                .bind(name.as_str())
                .bind(0)
                .bind(false)
                .bind("[]")
                .execute(conn))?;
        }
        Ok(())
    }

    /// The sources of an account on a resource, with the position that each goes on from.
    pub(super) async fn sources_of(
        &mut self,
        resource: ResourceNumber,
        account: Option<AccountId>,
    ) -> Result<Vec<(String, String)>, Refusal> {
        const SELECT: &str = "SELECT connector, position FROM source_position \
            WHERE resource = $1 AND account = $2 ORDER BY connector";
        on!(self, |conn| query_as(SELECT).bind(resource).bind(account).fetch_all(conn))
    }

    pub(super) async fn raise_epoch(&mut self, mine: i64, noted: i64) -> Result<(), Refusal> {
        const RAISE: &str = "UPDATE server_lease SET epoch = $1 WHERE id = 1 AND epoch = $2";
        let raised = rows!(self, |conn| query(RAISE).bind(mine.max(noted) + 1).bind(mine).execute(conn))?;
        if raised == 1 { Ok(()) } else { Err(internal()) }
    }
}
