//! What happens on the data path, as typed events: `emit` writes the log line and moves the counter together.
//! Nothing else logs there. No record content, no secret in any of them.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{
    BatchId, Generation, GrantId, ResourceNumber, SubscriptionId, TopicName, WindowId,
};
use changtong_catalog::ports::CloseReason;
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;

/// A publish got its receipt.
pub struct Published {
    pub resource: ResourceNumber,
    pub batch: BatchId,
    pub accepted: u64,
    pub quarantined: u64,
    pub bytes: u64,
    pub replayed: bool,
    pub took: Duration,
}

impl Published {
    pub fn emit(self, metrics: &Metrics) {
        let result = if self.replayed { "replayed" } else { "accepted" };
        metrics.publishes.with_label_values(&[result]).inc();
        metrics.publish_seconds.observe(self.took.as_secs_f64());
        if !self.replayed {
            metrics.published_records.with_label_values(&["accepted"]).inc_by(self.accepted);
            metrics.published_records.with_label_values(&["quarantined"]).inc_by(self.quarantined);
            metrics.published_bytes.inc_by(self.bytes);
        }
        debug!(resource = %self.resource, batch = %self.batch, accepted = self.accepted,
            quarantined = self.quarantined, replayed = self.replayed, "published");
    }
}

/// A publish was refused.
pub struct PublishRefused<'a> {
    pub refusal: &'a Refusal,
    /// Records that fell with their batch.
    pub records: u64,
}

impl PublishRefused<'_> {
    pub fn emit(self, metrics: &Metrics) {
        metrics.publishes.with_label_values(&[self.refusal.code.as_str()]).inc();
        metrics.published_records.with_label_values(&["refused"]).inc_by(self.records);
        limited(self.refusal, metrics);
        debug!(code = %self.refusal.code, "publish refused");
    }
}

/// What counts of a resource and is still there was copied into the topic of a new generation.
pub struct GenerationCopied {
    pub resource: ResourceNumber,
    pub generation: Generation,
    pub records: i64,
    /// Records that stand where others were published: left out.
    pub strange: i64,
}

impl GenerationCopied {
    pub fn emit(self, metrics: &Metrics) {
        metrics.copied_records.inc_by(self.records.unsigned_abs());
        info!(resource = %self.resource, generation = self.generation.0, records = self.records,
            "copied into a new generation");
        if self.strange > 0 {
            warn!(resource = %self.resource, generation = self.generation.0, strange = self.strange,
                "records stand where others were published, and were left out of the new generation");
        }
    }
}

/// All acknowledgements of an append came, or its end without them.
pub struct Appended {
    pub took: Duration,
}

impl Appended {
    pub fn emit(self, metrics: &Metrics) {
        metrics.append_seconds.observe(self.took.as_secs_f64());
    }
}

/// An attempt died after its records reached the log.
pub struct AttemptDied<'a> {
    pub resource: ResourceNumber,
    pub batch: BatchId,
    pub refusal: &'a Refusal,
}

impl AttemptDied<'_> {
    pub fn emit(self, _: &Metrics) {
        warn!(resource = %self.resource, batch = %self.batch, code = %self.refusal.code,
            reason = %self.refusal.text.en, "an attempt died after its append");
    }
}

/// The store answered a group.
pub struct Committed {
    pub attempts: u64,
    pub took: Duration,
}

impl Committed {
    pub fn emit(self, metrics: &Metrics) {
        metrics.commits.with_label_values(&["committed"]).inc();
        metrics.commit_seconds.observe(self.took.as_secs_f64());
        metrics.committed_attempts.inc_by(self.attempts);
    }
}

/// A group got no answer from the store.
pub struct CommitFailed<'a> {
    pub refusal: &'a Refusal,
    /// Whether COMMIT had been sent.
    pub unknown: bool,
    pub attempts: usize,
}

impl CommitFailed<'_> {
    pub fn emit(self, metrics: &Metrics) {
        let result = if self.unknown { "unknown" } else { "not_sent" };
        metrics.commits.with_label_values(&[result]).inc();
        warn!(code = %self.refusal.code, reason = %self.refusal.text.en, attempts = self.attempts, result,
            "a group commit has no answer");
    }
}

/// Views in memory differ from the store's; they are loaded again.
pub struct ViewsReloaded {
    pub resource: ResourceNumber,
}

impl ViewsReloaded {
    pub fn emit(self, _: &Metrics) {
        info!(resource = %self.resource, "the views of a topic are loaded again from the store");
    }
}

/// A poll was answered.
pub struct Polled {
    pub subscription: SubscriptionId,
    pub lines: u64,
}

impl Polled {
    pub fn emit(self, metrics: &Metrics) {
        let result = if self.lines > 0 { "sent" } else { "empty" };
        metrics.polls.with_label_values(&[result]).inc();
        debug!(subscription = %self.subscription, lines = self.lines, "polled");
    }
}

/// A poll was refused, or ended while its bytes left.
pub struct PollRefused<'a> {
    pub subscription: SubscriptionId,
    pub refusal: &'a Refusal,
}

impl PollRefused<'_> {
    pub fn emit(self, metrics: &Metrics) {
        metrics.polls.with_label_values(&[self.refusal.code.as_str()]).inc();
        limited(self.refusal, metrics);
        debug!(subscription = %self.subscription, code = %self.refusal.code, "poll refused");
    }
}

/// An event stream began.
pub struct StreamBegun;

impl StreamBegun {
    pub fn emit(self, metrics: &Metrics) {
        metrics.event_streams.inc();
    }
}

/// An event stream ended; `reader` is no code of a refusal: its reader went.
pub struct StreamEnded {
    pub subscription: SubscriptionId,
    pub code: &'static str,
}

impl StreamEnded {
    pub fn emit(self, metrics: &Metrics) {
        metrics.event_streams.dec();
        metrics.ended_event_streams.with_label_values(&[self.code]).inc();
        debug!(subscription = %self.subscription, code = self.code, "event stream ended");
    }
}

/// A read of a consumer's was answered by the log, or by what another had just read.
pub struct LogRead {
    pub shared: bool,
}

impl LogRead {
    pub fn emit(self, metrics: &Metrics) {
        let from = if self.shared { "shared" } else { "log" };
        metrics.log_reads.with_label_values(&[from]).inc();
    }
}

/// Lines were handed to the HTTP layer.
pub struct LetOut {
    pub lines: u64,
    pub bytes: u64,
    pub passed_over: u64,
}

impl LetOut {
    pub fn emit(self, metrics: &Metrics) {
        metrics.delivered_records.inc_by(self.lines);
        metrics.delivered_bytes.inc_by(self.bytes);
        metrics.passed_over_records.inc_by(self.passed_over);
    }
}

/// Records were looked at outside a window, none was to be sent.
pub struct PassedOver {
    pub records: u64,
}

impl PassedOver {
    pub fn emit(self, metrics: &Metrics) {
        metrics.passed_over_records.inc_by(self.records);
    }
}

/// A window's opening was committed.
pub struct WindowOpened {
    pub window: WindowId,
}

impl WindowOpened {
    pub fn emit(self, metrics: &Metrics) {
        metrics.open_windows.inc();
        debug!(window = %self.window, "window opened");
    }
}

/// A window ended.
pub struct WindowClosed {
    pub window: WindowId,
    pub reason: CloseReason,
    pub lines: u64,
}

impl WindowClosed {
    pub fn emit(self, metrics: &Metrics) {
        let reason = match self.reason {
            CloseReason::Time => "time",
            CloseReason::Count => "count",
            CloseReason::Reader => "reader",
            CloseReason::Ended => "ended",
            CloseReason::Shutdown => "shutdown",
            CloseReason::Unknown => "unknown",
        };
        metrics.closed_windows.with_label_values(&[reason]).inc();
        if self.reason != CloseReason::Unknown {
            metrics.open_windows.dec();
        }
        debug!(window = %self.window, reason, lines = self.lines, "window closed");
    }
}

/// Offsets that nobody committed are dead.
pub struct HolesFound {
    pub topic: TopicName,
    pub offsets: u64,
}

impl HolesFound {
    pub fn emit(self, metrics: &Metrics) {
        metrics.holes.inc_by(self.offsets);
        info!(topic = %self.topic, offsets = self.offsets, "holes of the log are dead");
    }
}

/// The log lost acknowledged records.
pub struct LogRolledBack {
    pub resource: ResourceNumber,
}

impl LogRolledBack {
    pub fn emit(self, metrics: &Metrics) {
        metrics.log_rolled_back.inc();
        error!(resource = %self.resource, "the log lost acknowledged records; the resource stands still");
    }
}

/// The topic of records set aside is gone, and they with it.
pub struct QuarantineTopicGone {
    pub resource: ResourceNumber,
}

impl QuarantineTopicGone {
    pub fn emit(self, _: &Metrics) {
        error!(resource = %self.resource, "the topic of records set aside is gone, and they with it");
    }
}

/// The store is older than the log.
pub struct StoreFoundOlder;

impl StoreFoundOlder {
    pub fn emit(self, _: &Metrics) {
        error!("the store is older than the log: publishing and delivery stand still");
    }
}

/// Records that a live subscription has not acknowledged go soon, or have gone.
pub struct EdgeNear {
    pub subscription: SubscriptionId,
    pub grant: GrantId,
    pub resource: ResourceNumber,
}

impl EdgeNear {
    pub fn emit(self) {
        warn!(
            subscription = %self.subscription, grant = %self.grant, resource = %self.resource,
            "a live subscription nears the end of retention: it loses records unless it reads and acknowledges"
        );
    }
}

/// It has caught up, or is not live any more.
pub struct EdgeLeft {
    pub subscription: SubscriptionId,
}

impl EdgeLeft {
    pub fn emit(self) {
        info!(subscription = %self.subscription, "the subscription is no longer near the end of retention");
    }
}

/// A connector failed; it tries again.
pub struct ConnectorFailed<'a> {
    pub refusal: &'a Refusal,
}

impl ConnectorFailed<'_> {
    pub fn emit(self, metrics: &Metrics) {
        metrics.connector_failures.with_label_values(&[self.refusal.code.as_str()]).inc();
        warn!(code = %self.refusal.code, reason = %self.refusal.text.en, "a connector failed, it tries again");
    }
}

/// A sink came too late for records that had left retention, and goes on behind them.
pub struct ConnectorMissedRecords<'a> {
    pub refusal: &'a Refusal,
}

impl ConnectorMissedRecords<'_> {
    pub fn emit(self, metrics: &Metrics) {
        metrics.connector_gaps.inc();
        warn!(code = %self.refusal.code, "a sink missed records that the log no longer has; it goes on behind them");
    }
}

/// A connector published or applied records.
pub struct ConnectorMovedRecords {
    pub outcome: &'static str,
    pub records: u64,
}

impl ConnectorMovedRecords {
    pub fn emit(self, metrics: &Metrics) {
        metrics.connector_records.with_label_values(&[self.outcome]).inc_by(self.records);
    }
}

/// A call that moves no records, or looks at one's own, was refused.
pub struct CallRefused<'a> {
    pub refusal: &'a Refusal,
}

impl CallRefused<'_> {
    pub fn emit(self, metrics: &Metrics) {
        limited(self.refusal, metrics);
        debug!(code = %self.refusal.code, "call refused");
    }
}

fn limited(refusal: &Refusal, metrics: &Metrics) {
    if refusal.code != Code::RateLimited {
        return;
    }
    let word = |name: &str| refusal.extra.get(name).and_then(|value| value.as_str()).unwrap_or("unknown");
    metrics.rate_limited.with_label_values(&[word("level"), word("limit")]).inc();
}
