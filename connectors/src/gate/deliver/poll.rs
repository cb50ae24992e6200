//! One read of a subscription: decide, wait until something is to be sent, find a window for it. What can be refused
//! is refused here, before the first byte.

use std::sync::Arc;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ports::{CloseReason, Topic};
use tokio::time::Instant;

use super::super::calls::Poll;
use super::super::{Gate, refusals};
use super::answer::Delivery;
use super::fetch::Form;
use super::reading::{Look, Reading, Share};
use super::seat::Seat;
use super::stand::Stand;
use super::waiting::{Waiting, Woken};
use crate::commit::key_of;
use crate::events::PollRefused;
use crate::limit::Cost;

/// How long a poll waits, and how long it reads through what is passed over.
#[derive(Debug, Clone, Copy)]
struct Patience {
    until: Instant,
    reading: Instant,
}

/// What a call may take, and the marker of the container file that it wants, if it wants one.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    share: Share,
    marker: Option<[u8; 16]>,
}

/// What a wait came to.
enum Found {
    Something(Box<Reading>),
    /// Nothing to send; where the reader stands then.
    Nothing(Stand),
    /// Something was ended or made meanwhile: what was decided is decided again.
    Changed,
    /// A record behind others that were passed over can't be read. It may be of a schema that came since.
    Unreadable(Refusal),
}

impl Gate {
    /// Answers one read of a subscription; everything that can be refused is refused here, before the first byte.
    pub async fn deliver(self: &Arc<Self>, poll: Poll) -> Result<Delivery, Refusal> {
        self.deliver_as(&poll, None).await
    }

    /// With a marker: as blocks of a container file that have it behind them.
    pub(super) async fn deliver_as(
        self: &Arc<Self>,
        poll: &Poll,
        marker: Option<[u8; 16]>,
    ) -> Result<Delivery, Refusal> {
        self.poll(poll, marker).await.inspect_err(|refusal| {
            PollRefused { subscription: poll.subscription, refusal }.emit(&self.metrics);
        })
    }

    async fn poll(self: &Arc<Self>, poll: &Poll, marker: Option<[u8; 16]>) -> Result<Delivery, Refusal> {
        let ends = self.windows.waits.ends();
        let mut seat = self.seat(&poll.caller, poll.subscription, poll.purpose.as_deref()).await?;
        let levels = self.levels(&seat);
        self.limiter.take(&levels, Cost { requests: 1, ..Cost::default() })?;
        self.limiter.check_only(&levels, Cost { requests: 0, records: 1, bytes: 1 })?;
        let until = Instant::now() + poll.wait.min(self.settings.wait_most);
        // An answer says that nothing is there only where that is so, or after a window's time of looking.
        let patience = Patience { until, reading: until.max(Instant::now() + self.settings.window) };
        let wanted = self.wanted(poll, marker);
        let mut waiting = Waiting::new(self, &seat, ends);
        let mut decided_again = false;
        loop {
            let topic = self.topics.known(&seat.standing.resource);
            let stand = self.stand(&seat.standing, topic.as_ref(), poll.cursor.as_deref()).await?;
            seat.generation = stand.generation;
            let found = match stand.topic(topic) {
                Some(topic) => self.find(wanted, &mut seat, stand, topic, patience, &mut waiting).await?,
                None if waiting.until(until).await == Woken::Time => Found::Nothing(stand),
                None => Found::Changed,
            };
            match found {
                Found::Something(reading) => return self.answer(seat, &waiting, *reading).await,
                Found::Nothing(stand) => return Ok(Delivery::empty(self, stand)),
                Found::Unreadable(refusal) if decided_again => return Err(refusal),
                Found::Unreadable(_) => {
                    decided_again = true;
                    self.renew(&mut seat).await?;
                }
                Found::Changed => self.renew(&mut seat).await?,
            }
        }
    }

    fn wanted(&self, poll: &Poll, marker: Option<[u8; 16]>) -> Wanted {
        let settings = &self.settings;
        let bytes = if marker.is_none() { settings.answer_bytes } else { settings.file_bytes };
        let share = Share {
            lines: poll.limit.unwrap_or(settings.answer_lines).clamp(1, settings.answer_lines_most),
            bytes: poll.max_bytes.unwrap_or(bytes).clamp(1, settings.answer_bytes_most),
        };
        Wanted { share, marker }
    }

    /// Reads on until something is to be sent.
    async fn find(
        &self,
        wanted: Wanted,
        seat: &mut Seat,
        stand: Stand,
        topic: Topic,
        patience: Patience,
        waiting: &mut Waiting,
    ) -> Result<Found, Refusal> {
        self.committer.load(&topic).await?;
        waiting.watch(self.committer.views().watch(key_of(&topic)).ok_or_else(refusals::fault)?);
        // Nothing comes to an earlier generation any more: its reader goes on in the next at its next call.
        let over = stand.past.is_some();
        let form = wanted.marker.map_or(Form::Line, Form::Block);
        let mut reading = self.reading(seat, stand, topic, form, wanted.share)?;
        seat.slim();
        let mut fresh = true;
        loop {
            waiting.look();
            let look = match reading.look(self, None).await {
                Err(refusal) if refusal.code == Code::Internal && !fresh => {
                    return Ok(Found::Unreadable(refusal));
                }
                look => look?,
            };
            fresh = false;
            match look {
                Look::Found => return Ok(Found::Something(Box::new(reading))),
                Look::PassedOver if Instant::now() < patience.reading && !waiting.is_told() => continue,
                Look::PassedOver | Look::Nothing | Look::Full => {}
            }
            // Where it stands already is where another look begins: in the generation in force.
            if reading.is_cut_off() && reading.behind().next == reading.began() {
                return Ok(Found::Changed);
            }
            if over || Instant::now() >= patience.until {
                return Ok(Found::Nothing(reading.behind()));
            }
            let Some(lasts) = self.lasts(seat) else { return Ok(Found::Changed) };
            match waiting.until(patience.until.min(Instant::now() + lasts)).await {
                Woken::Ended => return Ok(Found::Changed),
                Woken::Records | Woken::Time => {}
            }
        }
    }

    /// Finds a window for what was read. One whose commit took all of its time is replaced: an empty answer would say
    /// that nothing is there.
    async fn answer(
        self: &Arc<Self>,
        mut seat: Seat,
        waiting: &Waiting,
        reading: Reading,
    ) -> Result<Delivery, Refusal> {
        for _ in 0..WINDOWS {
            let window = self.window(&mut seat, waiting, reading.began(), reading.from()).await?;
            if !window.is_late(self.clock.monotonic()) {
                return Delivery::begin(self, window, reading).await;
            }
            self.windows.close(&window, CloseReason::Reader);
        }
        Err(refusals::windows_late())
    }
}

/// Windows opened for one answer at most.
const WINDOWS: u32 = 4;
