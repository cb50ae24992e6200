//! The bus as a connector in its own process sees it: the API, under the account of its key. Nothing is tried again
//! here: the runner does that, and shows it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{GrantId, ResourceCode, SubscriptionId};
use changtong_catalog::ports::{Receipt, ResourceStanding};
use changtong_catalog::schema::read::items_of;
use changtong_connectors::bus::{Applied, Bus, SourceBatch, Subscribed};
use changtong_connectors::gate::From;
use changtong_connectors::runner::{ConnectorSpec, End};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::answers::{self, Entry, Grant, Named, read};
use super::evidence::Evidence;
use super::refusal::refusal;
use crate::client::{Client, Reading};

/// How long a read waits for records.
const WAIT: Duration = Duration::from_secs(20);
/// The most lines of one read: one transaction of a sink.
const LINES: u64 = 5000;

pub(super) struct ApiBus {
    client: Client,
    name: String,
    end: End,
    evidence: Mutex<Evidence>,
}

impl ApiBus {
    pub fn new(client: Client, spec: &ConnectorSpec) -> Self {
        Self { client, name: spec.name.clone(), end: spec.end.clone(), evidence: Mutex::default() }
    }

    fn code(&self) -> Result<String, Refusal> {
        match &self.end {
            End::Source(source) => Ok(in_path(&source.resource)),
            End::Sink(_) => Err(other_end()),
        }
    }

    fn grant(&self) -> Result<(GrantId, Option<String>), Refusal> {
        match &self.end {
            End::Sink(sink) => Ok((sink.grant, sink.purpose.clone())),
            End::Source(_) => Err(other_end()),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.client.get(path).await.map_err(refusal)
    }

    async fn named(&self, grant: GrantId, name: &str) -> Result<Option<Named>, Refusal> {
        let listed = self.client.list(&format!("/grants/{grant}/subscriptions")).await.map_err(refusal)?;
        for subscription in listed {
            let subscription: Named = read(subscription)?;
            if subscription.name == name {
                return Ok(Some(subscription));
            }
        }
        Ok(None)
    }

    async fn make(&self, grant: GrantId, name: &str, from: &From, deletes: bool) -> Result<Named, Refusal> {
        let new = json!({ "name": name, "from": place(from), "deletes": deletes });
        let made = self.client.post(&format!("/grants/{grant}/subscriptions"), &new).await;
        read(made.map_err(refusal)?.body)
    }
}

#[async_trait]
impl Bus for ApiBus {
    async fn resource(&self) -> Result<ResourceStanding, Refusal> {
        let entry = self.get(&format!("/resources/{}", self.code()?)).await?;
        answers::standing(entry)
    }

    async fn position(&self, source: &str) -> Result<String, Refusal> {
        // Name and part are of visible ASCII; of these only `/` and `~` may stand in it besides what a query takes.
        let answer = self.get(&format!("/connectors/{}/position?source={source}", self.name)).await?;
        answer.get("position").and_then(Value::as_str).map(str::to_owned).ok_or_else(answers::not_ours)
    }

    async fn publish(&self, batch: SourceBatch) -> Result<Receipt, Refusal> {
        let (media_type, on_invalid) = answers::words(batch.format, batch.on_invalid);
        let step = format!("{} {} {}", batch.step.connector, batch.step.from, batch.step.to);
        let code = self.code()?;
        let sent = self.client.publish_step(&code, media_type, on_invalid, &step, batch.body).await;
        answers::receipt(sent.map_err(refusal)?)
    }

    async fn read_own(&self, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        self.client.own_page(&self.code()?, cursor).await.map_err(refusal)
    }

    async fn subscribe(&self, name: &str, from: &From, deletes: bool) -> Result<Subscribed, Refusal> {
        let (id, _) = self.grant()?;
        let grant: Grant = read(self.get(&format!("/grants/{id}")).await?)?;
        let entry: Entry = read(self.get(&format!("/resources/{}", in_path(&grant.resource))).await?)?;
        let schema = self.get(&format!("/grants/{id}/schema")).await?;
        let items = schema.get("schema").and_then(items_of).ok_or_else(answers::not_ours)?;
        let found = self.named(id, name).await?;
        let created = found.is_none();
        let subscription = match found {
            Some(found) => found,
            None => self.make(id, name, from, deletes).await?,
        };
        Ok(Subscribed {
            id: subscription.id,
            kind: entry.kind,
            deletes: subscription.deletes && grant.delete_lines,
            items,
            created,
        })
    }

    async fn poll(&self, subscription: SubscriptionId, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        let (_, purpose) = self.grant()?;
        let reading = Reading {
            subscription: subscription.to_string(),
            cursor: cursor.map(str::to_owned),
            limit: Some(LINES),
            max_bytes: None,
            wait: WAIT,
            purpose,
        };
        let page = self.client.page(&reading).await.map_err(refusal)?;
        Ok(self.evidence.lock().take(page))
    }

    async fn acknowledge(&self, subscription: SubscriptionId, applied: Applied) -> Result<(), Refusal> {
        let Applied { next, window, digest } = applied;
        let body = json!({ "next": next, "window": window, "digest": digest });
        let sent = self.client.post(&format!("/subscriptions/{subscription}/acks"), &body).await;
        sent.map(drop).map_err(refusal)
    }

    async fn seek(&self, subscription: SubscriptionId, from: &From) -> Result<String, Refusal> {
        let path = format!("/subscriptions/{subscription}/seek");
        let sought = self.client.post(&path, &json!({ "from": place(from) })).await.map_err(refusal)?;
        answers::next(&sought.body)
    }

    async fn subscription_position(&self, subscription: SubscriptionId) -> Result<String, Refusal> {
        answers::next(&self.get(&format!("/subscriptions/{subscription}")).await?)
    }
}

/// `from` as the API takes it.
fn place(from: &From) -> String {
    match from {
        From::Start => "start".to_owned(),
        From::End => "end".to_owned(),
        From::Time(time) => changtong_catalog::clock::rfc3339(*time),
        From::Cursor(cursor) => cursor.clone(),
    }
}

fn in_path(code: &ResourceCode) -> String {
    code.to_string().replace('/', "-")
}

fn other_end() -> Refusal {
    Refusal::new(
        Code::Internal,
        "来源与目标混淆",
        "a source was asked what only a sink knows, or the reverse",
    )
}
