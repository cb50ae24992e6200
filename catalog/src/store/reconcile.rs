//! Compares what the store keeps with the events that should say so, both ways (DESIGN.md 11, I6): visible runs,
//! windows, versions of rows, positions, and the columns that events are found by. All of one moment of the store.

mod decide;
mod exported;
mod offsets;
mod report;
mod rows;
mod seen;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use sqlx::query_as;

use super::dispatch::on;
use super::document::from_json;
use super::visibility::TopicKey;
use super::{EventFilter, Session, Store};
use crate::audit::EventCode;
use crate::clock::Time;
use crate::error::Refusal;
use crate::ids::{Generation, GrantId, RequestId, ResourceNumber, SubscriptionId, WindowId};
use crate::visibility::{PartitionView, Run};
pub use decide::{Decision, LogHolds};
pub use exported::{Exported, Says, read as read_exported};
pub use report::{Decided, Repeatable};
use seen::Seen;

/// Events read at a time.
const PAGE: i64 = 1000;

/// How store and events disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// Offsets count, and no `publish` event holds them.
    VisibleWithoutEvent,
    /// A `publish` event holds offsets that don't count.
    EventWithoutVisible,
    /// Two batches of events hold the same offsets.
    PublishedTwice,
    /// A window was opened, never closed, and is not open.
    OpenedWithoutEnd,
    /// A window is open or was closed without having been opened by an event.
    WindowWithoutOpening,
    /// A version of an entry, a request or a grant has no event.
    VersionWithoutEvent,
    /// An event tells of a version that does not exist, or that another event tells of.
    EventWithoutVersion,
    /// A position is not where the last event left it.
    PositionWithoutEvent,
    /// The columns of an event's row are not what its body says.
    ColumnsDiffer,
}

impl Mismatch {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VisibleWithoutEvent => "visible_without_event",
            Self::EventWithoutVisible => "event_without_visible",
            Self::PublishedTwice => "published_twice",
            Self::OpenedWithoutEnd => "opened_without_end",
            Self::WindowWithoutOpening => "window_without_opening",
            Self::VersionWithoutEvent => "version_without_event",
            Self::EventWithoutVersion => "event_without_version",
            Self::PositionWithoutEvent => "position_without_event",
            Self::ColumnsDiffer => "columns_differ",
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One disagreement: of what kind, about which thing, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub mismatch: Mismatch,
    /// Resource number, window, request, grant, subscription or event.
    pub object: String,
    /// Generation, partition and offsets, versions or positions.
    pub detail: String,
}

/// What was compared, and how it disagrees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciled {
    pub events: u64,
    /// Visible offsets compared with events.
    pub visible: i64,
    pub windows: u64,
    pub versions: u64,
    pub positions: u64,
    pub differences: Vec<Difference>,
}

/// The first record that the log still keeps, by partition; below it nothing is compared.
pub type FirstKept = BTreeMap<(ResourceNumber, Generation), Vec<i64>>;

/// What the `publish` events of a generation say.
pub(super) async fn published(
    session: &mut Session,
    resource: ResourceNumber,
    generation: Generation,
) -> Result<Vec<(Run, Time)>, Refusal> {
    let code = Some(EventCode::Published);
    let filter = EventFilter { resource: Some(resource), code, ..EventFilter::default() };
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = session.events(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.place());
        for event in &page {
            let body = serde_json::from_slice(&event.body).map_err(|_| super::error::internal())?;
            match exported::published(&body) {
                Some(Says::Published { topic, runs, .. }) if topic == (resource, generation) => {
                    all.extend(runs.into_iter().map(|run| (run, event.at)));
                }
                Some(_) => {}
                None => return Err(super::error::internal()),
            }
        }
    }
}

impl Store {
    /// Up to where each partition of every topic is known.
    pub async fn known_ends(&self) -> Result<BTreeMap<TopicKey, Vec<i64>>, Refusal> {
        let mut session = self.read().await?;
        let topics: Vec<TopicKey> = session.known_topics().await?;
        let mut ends = BTreeMap::new();
        for topic in topics {
            let views = session.views(&[topic]).await?.remove(&topic).unwrap_or_default();
            ends.insert(topic, views.iter().map(PartitionView::known_end).collect());
        }
        Ok(ends)
    }

    /// Reads every event once.
    pub async fn reconcile(&self, first_kept: &FirstKept) -> Result<Reconciled, Refusal> {
        let mut session = self.snapshot().await?;
        let mut seen = Seen::default();
        let mut after = None;
        loop {
            let page = session.events(&EventFilter::default(), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.place());
            page.iter().for_each(|event| seen.take(event));
        }
        let topics: Vec<TopicKey> = session.known_topics().await?;
        for topic in topics {
            let views = session.views(&[topic]).await?.remove(&topic).unwrap_or_default();
            seen.compare_offsets(topic, &views, first_kept.get(&topic).map_or(&[], Vec::as_slice));
        }
        seen.compare_windows(&session.window_ids().await?);
        for (object, version) in session.versions().await? {
            seen.compare_versions(&object, version);
        }
        for (subscription, seek_count, position) in session.all_positions().await? {
            seen.compare_position(subscription, seek_count, &position);
        }
        Ok(seen.finish())
    }
}

impl Session {
    async fn known_topics(&mut self) -> Result<Vec<TopicKey>, Refusal> {
        const SELECT: &str =
            "SELECT DISTINCT resource, generation FROM settled_mark ORDER BY resource, generation";
        on!(self, |conn| query_as(SELECT).fetch_all(conn))
    }

    async fn window_ids(&mut self) -> Result<Vec<WindowId>, Refusal> {
        let rows: Vec<(WindowId,)> =
            on!(self, |conn| query_as("SELECT id FROM delivery_window").fetch_all(conn))?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Entries, requests and grants with the version each has reached.
    async fn versions(&mut self) -> Result<Vec<(String, i32)>, Refusal> {
        let resources: Vec<(ResourceNumber, i32)> =
            on!(self, |conn| query_as("SELECT number, version FROM resource").fetch_all(conn))?;
        let requests: Vec<(RequestId, i32)> =
            on!(self, |conn| query_as("SELECT id, version FROM request").fetch_all(conn))?;
        let grants: Vec<(GrantId, i32)> =
            on!(self, |conn| query_as("SELECT id, version FROM share_grant").fetch_all(conn))?;
        let resources = resources.into_iter().map(|(id, version)| (seen::resource(id), version));
        let requests = requests.into_iter().map(|(id, version)| (seen::request(id), version));
        let grants = grants.into_iter().map(|(id, version)| (seen::grant(id), version));
        Ok(resources.chain(requests).chain(grants).collect())
    }

    async fn all_positions(&mut self) -> Result<Vec<(SubscriptionId, i32, Vec<i64>)>, Refusal> {
        const SELECT: &str = "SELECT id, seek_count, position FROM subscription ORDER BY id";
        let rows: Vec<(SubscriptionId, i32, String)> = on!(self, |conn| query_as(SELECT).fetch_all(conn))?;
        rows.into_iter()
            .map(|(id, seek_count, position)| Ok((id, seek_count, from_json(&position)?)))
            .collect()
    }
}
