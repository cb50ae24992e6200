//! Positions: where a subscription begins, its acknowledgements and seeks (protocol.md 6).

use changtong_catalog::account::Caller;
use changtong_catalog::cursor::{Cursor, not_beyond, view_digest};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Grant, decide};
use changtong_catalog::ids::{Generation, GrantId, SubscriptionId};
use changtong_catalog::ports::{Ack, ResourceStanding, Seek, SubscriptionStanding};
use changtong_catalog::resource::Kind;
use changtong_catalog::window;

use super::super::calls::{Acknowledge, From, Place};
use super::super::{Gate, refusals};
use super::past::Onward;
use super::stand::Stand;

impl Gate {
    /// Moves the position to the larger of it and the cursor, per partition.
    pub async fn acknowledge(&self, acknowledge: Acknowledge) -> Result<(), Refusal> {
        self.admit()?;
        let standing = self.subscribed(&acknowledge.caller, acknowledge.subscription).await?;
        let cursor = self.own_cursor(&standing, &acknowledge.next)?;
        let view = self.view_in_force(&standing);
        if let Some(digest) = &acknowledge.digest
            && (digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err(bad_digest());
        }
        if let Some(id) = acknowledge.window
            && !window::is_of(id, standing.subscription.id, self.keys.cursor.all())
        {
            return Err(refusals::window_foreign());
        }
        if cursor.view != view && standing.resource.resource.file.kind == Kind::Table {
            return Err(refusals::view_changed(self.first_of(&standing, view).await?));
        }
        let Acknowledge { caller, window: quoted, digest, .. } = acknowledge;
        self.committer.ack(Ack { caller, cursor, view, window: quoted, digest }).await
    }

    /// Sets the position; answers its cursor.
    pub async fn seek(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        from: &From,
    ) -> Result<String, Refusal> {
        self.admit()?;
        let standing = self.subscribed(caller, subscription).await?;
        let place = self.resolve(&standing.grant, &standing.resource, from).await?;
        let Place { view, generation, position } = place;
        let caller = caller.clone();
        let seek = Seek { caller, subscription, view, generation, position: position.clone() };
        let seek_count = self.committer.seek(seek).await?;
        self.windows.waits.sought(subscription);
        self.encode(&Cursor { subscription, view, generation, seek_count, next: position })
    }

    /// Where a new subscription of a grant begins; the caller's right to make one is for the action to judge.
    pub async fn place(&self, grant: GrantId, from: &From) -> Result<Place, Refusal> {
        self.admit()?;
        let grant = self.directory.grant(grant).await?.ok_or_else(|| Refusal::not_found("授权", "grant"))?;
        let resource =
            self.directory.resource_by_number(grant.resource).await?.ok_or_else(refusals::no_resource)?;
        self.resolve(&grant, &resource, from).await
    }

    /// The stored position of a subscription as a cursor.
    pub async fn position(&self, subscription: SubscriptionId) -> Result<String, Refusal> {
        let standing =
            self.directory.subscription(subscription).await?.ok_or_else(refusals::no_subscription)?;
        let stored = standing.subscription;
        self.encode(&Cursor {
            subscription: stored.id,
            view: stored.view,
            generation: stored.generation,
            seek_count: stored.seek_count,
            next: stored.position,
        })
    }

    async fn subscribed(&self, caller: &Caller, id: SubscriptionId) -> Result<SubscriptionStanding, Refusal> {
        let standing = self.directory.subscription(id).await?.ok_or_else(refusals::no_subscription)?;
        decide::subscribe(caller, &standing.grant, standing.resource.resource.provider)
            .check()
            .map_err(hide)?;
        Ok(standing)
    }

    /// The first cursor of the view in force.
    async fn first_of(&self, standing: &SubscriptionStanding, view: i64) -> Result<String, Refusal> {
        let subscription = &standing.subscription;
        let stand = Stand {
            subscription: subscription.id,
            view,
            generation: standing.resource.resource.generation,
            seek_count: subscription.seek_count,
            next: Vec::new(),
            past: None,
        };
        let Some(topic) = self.topics.known(&standing.resource) else {
            return self.encode(&stand.cursor(&[]));
        };
        let floor = self.floor(&standing.grant, &topic, standing.floor.as_ref()).await?;
        self.first_cursor(&stand, &topic, &floor).await
    }

    async fn resolve(
        &self,
        grant: &Grant,
        resource: &ResourceStanding,
        from: &From,
    ) -> Result<Place, Refusal> {
        let generation = resource.resource.generation;
        let view = view_digest(grant, generation);
        let Some(topic) = self.topics.known(resource) else {
            // Nothing was ever published: every `from` means what comes.
            return Ok(Place { view, generation, position: Vec::new() });
        };
        let floor = self.floor(grant, &topic, None).await?;
        let position = match from {
            From::Start => self.first_kept(&topic, &floor).await?,
            From::End => {
                let views = self.committer.load(&topic).await?;
                views.iter().zip(&floor).map(|(view, floor)| view.stable_end().max(*floor)).collect()
            }
            From::Time(time) if grant.floor.is_some_and(|floor| *time < floor) => {
                return Err(refusals::before_history());
            }
            From::Time(time) => {
                let views = self.committer.load(&topic).await?;
                let offsets = self.log.offsets_at(&topic.name, *time).await?;
                let held = |((offset, view), floor): ((i64, &_), &i64)| within(offset, view, *floor);
                offsets.into_iter().zip(views.iter()).zip(&floor).map(held).collect()
            }
            From::Cursor(text) => match self.of_grant(grant, resource, view, text).await? {
                Place { generation: earlier, position, .. } if earlier < generation => {
                    return self.place_in(grant, resource, earlier, position).await;
                }
                place => place.position,
            },
        };
        let position = if position.is_empty() { floor.clone() } else { position };
        if !not_beyond(&floor, &position) {
            return Err(refusals::before_history());
        }
        Ok(Place { view, generation, position })
    }

    /// A place in an earlier generation of a stream, or where its reader goes on.
    async fn place_in(
        &self,
        grant: &Grant,
        resource: &ResourceStanding,
        earlier: Generation,
        position: Vec<i64>,
    ) -> Result<Place, Refusal> {
        let (number, current) = (resource.resource.number, resource.resource.generation);
        let (topic, position) = match self.onward(number, current, earlier, position).await? {
            Onward::Within(over, position) => (over.topic.clone(), position),
            Onward::Behind(position) => (self.topics.known(resource).ok_or_else(refusals::fault)?, position),
            Onward::Gone => (self.topics.known(resource).ok_or_else(refusals::fault)?, Vec::new()),
        };
        let floor = self.floor(grant, &topic, None).await?;
        let position = if position.is_empty() { floor.clone() } else { position };
        if !not_beyond(&floor, &position) {
            return Err(refusals::before_history());
        }
        let (view, generation) = (view_digest(grant, topic.generation), topic.generation);
        Ok(Place { view, generation, position })
    }

    /// The offsets of a cursor of any subscription of the grant, seeks or not.
    async fn of_grant(
        &self,
        grant: &Grant,
        resource: &ResourceStanding,
        view: i64,
        text: &str,
    ) -> Result<Place, Refusal> {
        let cursor = self.decode(text).map_err(|refusal| match refusal.code {
            Code::CursorInvalid => refusals::no_place(),
            _ => refusal,
        })?;
        let other = self.directory.subscription(cursor.subscription).await?;
        let Some(other) = other.filter(|other| other.grant.id == grant.id) else {
            return Err(refusals::cursor_foreign());
        };
        if cursor.view != view && resource.resource.file.kind == Kind::Table {
            return Err(refusals::view_changed(self.first_of(&other, view).await?));
        }
        Ok(Place { view: cursor.view, generation: cursor.generation, position: cursor.next })
    }
}

/// Between the floor and the stable end.
fn within(offset: i64, view: &changtong_catalog::visibility::PartitionView, floor: i64) -> i64 {
    offset.min(view.stable_end()).max(floor)
}

/// A grant that the caller may not see hides its subscriptions too.
pub(super) fn hide(refusal: Refusal) -> Refusal {
    if refusal.code == Code::NotFound { refusals::no_subscription() } else { refusal }
}

fn bad_digest() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "digest 应为应答末行给出的 64 位小写十六进制",
        "`digest` is the 64 lower-case hex digits of the answer's last line",
    )
    .with("path", "digest")
}
