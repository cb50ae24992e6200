//! The bus as a managed connector sees it: the gate and the actions of this process, under the connector's account.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use changtong_catalog::account::Caller;
use changtong_catalog::actions::{Act, NewSubscription, create_subscription};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Subscription;
use changtong_catalog::ids::{GrantId, ResourceCode, SubscriptionId};
use changtong_catalog::ports::{Directory as _, Receipt, ResourceStanding};
use changtong_catalog::schema::derived_fields;
use changtong_connectors::bus::{Applied, Bus, GrantedItem, SourceBatch, Subscribed};
use changtong_connectors::gate::{Acknowledge, Body, From, OwnRead, Place, Poll, Publish};
use changtong_connectors::runner::{ConnectorSpec, End};

use super::account::ActsAs;
use crate::app::App;
use crate::own_records;

/// How long a read waits for records.
const WAIT: Duration = Duration::from_secs(20);
/// The most lines of one read: one transaction of a sink.
const LINES: u64 = 5000;

pub(super) struct GateBus {
    app: Arc<App>,
    acts_as: ActsAs,
    end: End,
}

impl GateBus {
    pub fn new(app: Arc<App>, acts_as: ActsAs, spec: &ConnectorSpec) -> Self {
        Self { app, acts_as, end: spec.end.clone() }
    }

    async fn caller(&self) -> Result<Caller, Refusal> {
        self.acts_as.caller(&self.app).await
    }

    fn code(&self) -> Result<ResourceCode, Refusal> {
        match &self.end {
            End::Source(source) => Ok(source.resource.clone()),
            End::Sink(_) => Err(other_end()),
        }
    }

    fn grant(&self) -> Result<(GrantId, Option<String>), Refusal> {
        match &self.end {
            End::Sink(sink) => Ok((sink.grant, sink.purpose.clone())),
            End::Source(_) => Err(other_end()),
        }
    }

    /// What was refused may lie with the key.
    fn heard<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        outcome.inspect_err(|refusal| {
            if !matches!(refusal.code, Code::RateLimited | Code::Overloaded) {
                self.acts_as.forget();
            }
        })
    }

    async fn named(&self, grant: GrantId, name: &str) -> Result<Option<Subscription>, Refusal> {
        let mut after = None;
        loop {
            let page = self.app.store.subscriptions(grant, after.as_deref(), 200).await?;
            if let Some(found) = page.items.into_iter().find(|subscription| subscription.name == name) {
                return Ok(Some(found));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    async fn make(
        &self,
        grant: GrantId,
        name: &str,
        from: &From,
        deletes: bool,
    ) -> Result<Subscription, Refusal> {
        let caller = self.caller().await?;
        let place = self.app.gate.place(grant, from).await?;
        let app = &self.app;
        let act =
            Act { caller: &caller, now: app.clock.now(), ids: &*app.ids, rules: &app.rules, claim: None };
        let Place { view, generation, position } = place;
        let new = NewSubscription { grant, name: name.to_owned(), deletes, view, generation, position };
        Ok(create_subscription(&app.store, &act, new).await?.object)
    }
}

#[async_trait]
impl Bus for GateBus {
    async fn resource(&self) -> Result<ResourceStanding, Refusal> {
        let caller = self.caller().await?;
        let standing = self.app.store.resource(&self.code()?).await?;
        let own = standing.filter(|standing| standing.resource.provider == caller.agency);
        own.ok_or_else(|| Refusal::not_found("信息资源", "resource"))
    }

    async fn position(&self, source: &str) -> Result<String, Refusal> {
        let number = self.resource().await?.resource.number;
        self.app.gate.source_position(number, source).await
    }

    async fn publish(&self, batch: SourceBatch) -> Result<Receipt, Refusal> {
        let held = self.app.gate.budget().take(batch.body.len() as u64)?;
        let publish = Publish {
            caller: self.caller().await?,
            resource: self.code()?,
            format: batch.format,
            on_invalid: batch.on_invalid,
            body: Body { bytes: batch.body, held },
            idempotency_key: None,
            source: Some(batch.step),
        };
        self.heard(self.app.gate.publish(publish).await)
    }

    async fn read_own(&self, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        // Every other step is judged with the key that stands when it is committed; a page for its owner is only read.
        self.acts_as.forget();
        let (caller, resource) = (self.caller().await?, self.code()?);
        let cursor = cursor.map(str::to_owned);
        let read = OwnRead { resource, cursor, limit: None, max_bytes: None, file: false, version: None };
        let page = self.heard(own_records::read(&self.app, &caller, read).await)?;
        Ok(page.body)
    }

    async fn subscribe(&self, name: &str, from: &From, deletes: bool) -> Result<Subscribed, Refusal> {
        let (grant, _) = self.grant()?;
        let caller = self.caller().await?;
        let held = self.app.store.grant(grant).await?.filter(|held| held.consumer == caller.agency);
        if held.is_none() {
            return Err(Refusal::not_found("授权", "grant"));
        }
        let found = self.named(grant, name).await?;
        let created = found.is_none();
        let subscription = match found {
            Some(found) => found,
            None => self.heard(self.make(grant, name, from, deletes).await)?,
        };
        let standing = self.app.store.subscription(subscription.id).await?;
        let standing = standing.ok_or_else(|| Refusal::not_found("订阅", "subscription"))?;
        let (grant, file) = (&standing.grant, &standing.resource.resource.file);
        let held = standing.resource.versions.iter().find(|known| known.version == grant.schema_version);
        let held = held.ok_or_else(no_version)?;
        let fields = derived_fields(&held.items, &grant.items, &grant.masks);
        let item = |field: changtong_catalog::schema::Field<'_>| GrantedItem {
            name: field.item.name.clone(),
            avro: field.item.avro(),
            nullable: field.nullable,
        };
        Ok(Subscribed {
            id: subscription.id,
            kind: file.kind,
            deletes: subscription.deletes && grant.delete_lines,
            items: fields.into_iter().map(item).collect(),
            created,
        })
    }

    async fn poll(&self, subscription: SubscriptionId, cursor: Option<&str>) -> Result<Bytes, Refusal> {
        let (_, purpose) = self.grant()?;
        let poll = Poll {
            caller: self.caller().await?,
            subscription,
            purpose,
            cursor: cursor.map(str::to_owned),
            limit: Some(LINES),
            max_bytes: None,
            wait: WAIT,
        };
        let mut delivery = self.heard(self.app.gate.deliver(poll).await)?;
        let mut answer = BytesMut::new();
        while let Some(piece) = delivery.next_piece().await {
            answer.extend_from_slice(&self.heard(piece)?);
        }
        Ok(answer.freeze())
    }

    async fn acknowledge(&self, subscription: SubscriptionId, applied: Applied) -> Result<(), Refusal> {
        let acknowledge = Acknowledge {
            caller: self.caller().await?,
            subscription,
            next: applied.next,
            window: applied.window,
            digest: applied.digest,
        };
        self.heard(self.app.gate.acknowledge(acknowledge).await)
    }

    async fn seek(&self, subscription: SubscriptionId, from: &From) -> Result<String, Refusal> {
        let caller = self.caller().await?;
        self.heard(self.app.gate.seek(&caller, subscription, from).await)
    }

    async fn subscription_position(&self, subscription: SubscriptionId) -> Result<String, Refusal> {
        self.app.gate.position(subscription).await
    }
}

fn no_version() -> Refusal {
    Refusal::new(
        Code::Internal,
        "授权所用的模式版本已不存在",
        "the schema version that the grant holds is gone",
    )
}

fn other_end() -> Refusal {
    Refusal::new(
        Code::Internal,
        "来源与目标混淆",
        "a source was asked what only a sink knows, or the reverse",
    )
}
