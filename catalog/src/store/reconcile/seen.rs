//! What the events say, gathered in one pass, and the comparison with what the store keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;

use super::offsets::{Offsets, from, without};
use super::{Difference, Mismatch, Reconciled};
use crate::audit::{EventCode, Projection};
use crate::clock::rfc3339;
use crate::ids::{GrantId, RequestId, ResourceNumber, SubscriptionId, WindowId};
use crate::store::StoredEvent;
use crate::store::visibility::TopicKey;
use crate::visibility::PartitionView;

/// Names of the things that have versions.
pub(super) fn resource(number: ResourceNumber) -> String {
    format!("resource {number}")
}

pub(super) fn request(id: RequestId) -> String {
    format!("request {id}")
}

pub(super) fn grant(id: GrantId) -> String {
    format!("grant {id}")
}

/// Where an event left a position: later ones win, of one moment the one behind more seeks, then the farther.
type LeftAt = (String, i64, Vec<i64>);

#[derive(Default)]
pub(super) struct Seen {
    published: BTreeMap<(i64, i64, i64), Offsets>,
    /// Windows with more or fewer openings than closings.
    windows: BTreeMap<String, (u32, u32)>,
    versions: BTreeMap<String, BTreeSet<i64>>,
    positions: BTreeMap<String, LeftAt>,
    result: Reconciled,
}

impl Seen {
    fn differ(&mut self, mismatch: Mismatch, object: impl ToString, detail: impl ToString) {
        let (object, detail) = (object.to_string(), detail.to_string());
        self.result.differences.push(Difference { mismatch, object, detail });
    }

    pub(super) fn take(&mut self, event: &StoredEvent) {
        self.result.events += 1;
        if !columns_agree(event) {
            self.differ(Mismatch::ColumnsDiffer, event.id, &event.code);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&event.body) else { return };
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        match EventCode::ALL.iter().find(|known| known.as_str() == code) {
            Some(EventCode::Published) => self.take_batches(&body),
            Some(EventCode::DeliverOpened) => {
                self.result.windows += 1;
                self.window(&body).0 += 1;
            }
            Some(EventCode::DeliverClosed) => self.window(&body).1 += 1,
            Some(EventCode::SubscriptionCreated | EventCode::DeliverAcked | EventCode::DeliverSought) => {
                self.take_position(&body);
            }
            _ => self.take_version(&code, &body),
        }
    }

    fn take_batches(&mut self, body: &Value) {
        let topic = (number(&body["resource"]), number(&body["generation"]));
        let runs =
            body["batches"].as_array().into_iter().flatten().filter_map(|batch| batch["runs"].as_array());
        for run in runs.flatten() {
            let range = number(&run[1])..number(&run[2]) + 1;
            self.published.entry((topic.0, topic.1, number(&run[0]))).or_default().add(range);
        }
    }

    fn window(&mut self, body: &Value) -> &mut (u32, u32) {
        // A pair that has met is forgotten; its id never comes again.
        let id = body["window"].as_str().unwrap_or_default().to_owned();
        self.windows.retain(|_, counts| *counts != (1, 1));
        self.windows.entry(id).or_default()
    }

    fn take_position(&mut self, body: &Value) {
        let position = body["position"].as_array().into_iter().flatten().map(number).collect();
        let at = body["at"].as_str().unwrap_or_default().to_owned();
        let left: LeftAt = (at, number(&body["seek_count"]), position);
        let id = body["subscription"].as_str().unwrap_or_default().to_owned();
        let stored = self.positions.entry(id).or_default();
        *stored = left.max(std::mem::take(stored));
    }

    fn take_version(&mut self, code: &str, body: &Value) {
        let Some(version) = body["version"].as_i64() else { return };
        let kind = code.split('.').next().unwrap_or_default();
        if !["resource", "request", "grant"].contains(&kind) {
            return;
        }
        let object = match &body[kind] {
            Value::String(id) => format!("{kind} {id}"),
            Value::Number(id) => format!("{kind} {id}"),
            _ => return,
        };
        if !self.versions.entry(object.clone()).or_default().insert(version) {
            self.differ(Mismatch::EventWithoutVersion, object, format!("version {version} twice"));
        }
    }

    pub(super) fn compare_offsets(&mut self, topic: TopicKey, views: &[PartitionView], kept: &[i64]) {
        for (part, view) in views.iter().enumerate() {
            let part = i64::try_from(part).unwrap_or(i64::MAX);
            let first = usize::try_from(part).ok().and_then(|at| kept.get(at)).copied().unwrap_or(0);
            let key = (topic.0.0, i64::from(topic.1.0), part);
            let mut published = self.published.remove(&key).unwrap_or_default();
            let said = from(first, published.join());
            // Committed runs behind the stable end count too, though no reader has reached them.
            let visible: Vec<Range<i64>> = view.counting(first, i64::MAX);
            self.result.visible += visible.iter().map(|range| range.end - range.start).sum::<i64>();
            let found = [
                (Mismatch::VisibleWithoutEvent, without(&visible, &said)),
                (Mismatch::EventWithoutVisible, without(&said, &visible)),
                (Mismatch::PublishedTwice, from(first, &published.twice)),
            ];
            for (mismatch, ranges) in found {
                for range in ranges {
                    let (generation, last) = (topic.1, range.end - 1);
                    let detail = format!("{generation}.{part}.{}-{last}", range.start);
                    self.differ(mismatch, topic.0, detail);
                }
            }
        }
    }

    pub(super) fn compare_windows(&mut self, open: &[WindowId]) {
        for window in open {
            let counts = self.windows.entry(window.to_string()).or_default();
            // An open window has its opening and no closing; a row stands for the closing to come.
            counts.1 += 1;
        }
        for (window, (opened, ended)) in std::mem::take(&mut self.windows) {
            match opened.cmp(&ended) {
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => self.differ(Mismatch::OpenedWithoutEnd, window, ""),
                std::cmp::Ordering::Less => self.differ(Mismatch::WindowWithoutOpening, window, ""),
            }
        }
    }

    pub(super) fn compare_versions(&mut self, object: &str, version: i32) {
        self.result.versions += u64::from(version.unsigned_abs());
        let told = self.versions.remove(object).unwrap_or_default();
        let stored: BTreeSet<i64> = (1..=i64::from(version)).collect();
        for missing in stored.difference(&told) {
            self.differ(Mismatch::VersionWithoutEvent, object, format!("version {missing}"));
        }
        for strange in told.difference(&stored) {
            self.differ(Mismatch::EventWithoutVersion, object, format!("version {strange}"));
        }
    }

    pub(super) fn compare_position(&mut self, subscription: SubscriptionId, seeks: i32, position: &[i64]) {
        self.result.positions += 1;
        let told = self.positions.remove(&subscription.to_string()).unwrap_or_default();
        if (told.1, told.2.as_slice()) != (i64::from(seeks), position) {
            let detail =
                format!("events say {:?} after {} seeks, stored {position:?} after {seeks}", told.2, told.1);
            self.differ(Mismatch::PositionWithoutEvent, subscription, detail);
        }
    }

    /// What is left over was told of things that are not there.
    pub(super) fn finish(mut self) -> Reconciled {
        for ((resource, generation, part), mut offsets) in std::mem::take(&mut self.published) {
            for range in offsets.join().to_vec() {
                let detail = format!("{generation}.{part}.{}-{}", range.start, range.end - 1);
                self.differ(Mismatch::EventWithoutVisible, resource, detail);
            }
        }
        for object in std::mem::take(&mut self.versions).into_keys() {
            self.differ(Mismatch::EventWithoutVersion, object, "");
        }
        for subscription in std::mem::take(&mut self.positions).into_keys() {
            self.differ(Mismatch::PositionWithoutEvent, subscription, "no such subscription");
        }
        self.result.differences.sort();
        self.result
    }
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn columns_agree(event: &StoredEvent) -> bool {
    Projection::read(&event.body).is_some_and(|said| {
        said.id == event.id.to_string()
            && said.at == rfc3339(event.at)
            && said.code == event.code
            && said.agency == event.agency.map(|agency| agency.to_string())
            && said.resource == event.resource
            && said.grant == event.grant_id
            && event.day == event.at.date_naive()
    })
}
