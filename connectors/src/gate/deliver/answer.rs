//! One answer, piece by piece: each leaves under its window's lock, and the last line says where it ended.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::WindowId;
use changtong_catalog::ports::{CloseReason, Topic};
use futures::Stream;
use serde::Serialize;

use super::super::budget::Held;
use super::super::{Gate, refusals};
use super::fetch::{Fetcher, Piece, Room};
use super::stand::{Stand, anything, skip_dead};
use super::window::{Over, Window};
use crate::commit::{Partitions, key_of};
use crate::events::{LetOut, PollRefused, Polled};
use crate::fault;
use crate::limit::{Cost, Limiter, Rates, Subject};

/// What one answer may take.
pub(super) struct Share {
    pub lines: u64,
    pub bytes: u64,
    pub levels: Vec<(Subject, Rates)>,
    /// Of the budget of bytes in flight, until the answer is complete.
    pub _held: Held,
}

/// One answer: pieces of at most 64 KiB, the last one holding the final line.
pub struct Delivery {
    gate: Arc<Gate>,
    /// Where the answer stands: behind what was let out.
    stand: Stand,
    reading: Option<Reading>,
    lines: u64,
    finished: bool,
}

struct Reading {
    window: Arc<Window>,
    fetcher: Fetcher,
    share: Share,
    pieces: VecDeque<Piece>,
}

/// The last line.
#[derive(Serialize)]
struct FinalLine {
    next: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl Delivery {
    /// Nothing was there: no window, only the final line.
    pub(super) fn empty(gate: &Arc<Gate>, stand: Stand) -> Self {
        Self { gate: gate.clone(), stand, reading: None, lines: 0, finished: false }
    }

    pub(super) fn new(
        gate: &Arc<Gate>,
        stand: Stand,
        window: Arc<Window>,
        fetcher: Fetcher,
        share: Share,
    ) -> Self {
        let reading = Some(Reading { window, fetcher, share, pieces: VecDeque::new() });
        Self { gate: gate.clone(), stand, reading, lines: 0, finished: false }
    }

    /// Reads the first pieces, so that what can be refused is refused before the answer begins.
    pub(super) async fn begin(&mut self) -> Result<(), Refusal> {
        self.read_on().await.map(|_| ())
    }

    /// Whether reading took so long that nothing of it can leave any more.
    pub(super) fn is_late(&self) -> bool {
        let now = self.gate.clock.monotonic();
        self.reading.as_ref().is_some_and(|reading| !reading.pieces.is_empty() && reading.window.is_late(now))
    }

    /// Ends it before its beginning; where it stood.
    pub(super) fn given_up(self) -> (Stand, Option<Topic>) {
        // Dropping it closes the window.
        (self.stand.clone(), self.reading.as_ref().map(|reading| reading.fetcher.topic.clone()))
    }

    /// The next piece; `None` behind the last. An error means that the delivery was ended: reset the connection.
    pub async fn next_piece(&mut self) -> Option<Result<Bytes, Refusal>> {
        loop {
            if self.finished {
                return None;
            }
            if let Err(refusal) = self.gate.alive.check() {
                return Some(Err(self.fail(refusal)));
            }
            let Some(piece) = self.reading.as_mut().and_then(|reading| reading.pieces.pop_front()) else {
                // What fails while the answer runs is said to the next poll, which starts where this one ends.
                if self.read_on().await.unwrap_or(false) {
                    continue;
                }
                return Some(self.finish());
            };
            match self.let_out(&piece) {
                Ok(()) if piece.bytes.is_empty() => {}
                Ok(()) => return Some(Ok(piece.bytes)),
                Err(Over::Finished) if !piece.within_line => return Some(self.finish()),
                Err(Over::Finished) => return Some(Err(self.fail(refusals::slow_reader()))),
                Err(Over::Ended) => return Some(Err(self.fail(refusals::ended()))),
            }
        }
    }

    /// The pieces as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Refusal>> + Send {
        futures::stream::unfold(self, |mut delivery| async move {
            let piece = delivery.next_piece().await?;
            Some((piece, delivery))
        })
    }

    fn let_out(&mut self, piece: &Piece) -> Result<(), Over> {
        let Some(reading) = &self.reading else { return Err(Over::Finished) };
        reading.window.let_out(piece, self.gate.clock.monotonic())?;
        fault::point(fault::SENT);
        self.stand.next.clone_from(&piece.through);
        self.lines += piece.sent;
        let bytes = piece.lines.len() as u64;
        LetOut { lines: piece.sent, bytes, passed_over: piece.passed_over }.emit(&self.gate.metrics);
        Ok(())
    }

    /// Reads the next pieces. `false`: the answer is complete.
    async fn read_on(&mut self) -> Result<bool, Refusal> {
        let Some(reading) = &mut self.reading else { return Ok(false) };
        let gate = &self.gate;
        let Some(views) = gate.committer.views().get(key_of(&reading.fetcher.topic)) else {
            return Ok(false);
        };
        if !anything(&views, &reading.fetcher.next) {
            return Ok(false);
        }
        let (records, bytes) = gate.limiter.spare(&reading.share.levels);
        let room = Room {
            lines: reading.share.lines.min(reading.window.left()).min(records),
            bytes: reading.share.bytes.min(bytes),
        };
        if room.lines == 0 || room.bytes == 0 {
            return Ok(false);
        }
        let before = reading.fetcher.next.clone();
        let pieces = reading.fetcher.fetch(gate, &views, room).await?;
        let sent: u64 = pieces.iter().map(|piece| piece.sent).sum();
        let bytes: u64 = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
        // A single line may be longer than a second's worth; then it costs the whole second.
        let charged = bytes.min(Limiter::most_bytes(&reading.share.levels));
        let cost = Cost { requests: 0, records: sent, bytes: charged };
        if let Err(refusal) = gate.limiter.take(&reading.share.levels, cost) {
            reading.fetcher.next = before;
            return Err(refusal);
        }
        reading.share.lines -= sent.min(reading.share.lines);
        reading.share.bytes = reading.share.bytes.saturating_sub(bytes);
        reading.pieces.extend(pieces);
        Ok(!reading.pieces.is_empty())
    }

    /// The final line; the window stays open for the next poll.
    fn finish(&mut self) -> Result<Bytes, Refusal> {
        if self.reading.as_ref().is_some_and(|reading| reading.window.is_ended()) {
            return Err(self.fail(refusals::ended()));
        }
        self.finished = true;
        if let Some(views) = self.views() {
            self.stand.next = skip_dead(&views, &self.stand.next);
        }
        let mut line = FinalLine { next: String::new(), window: None, digest: None };
        if let Some(reading) = self.reading.take() {
            let window = reading.window;
            line.window = Some(window.id);
            line.digest = Some(window.release(&self.stand.next));
            if window.is_used_up() {
                self.gate.windows.close(&window, CloseReason::Count);
            }
        }
        line.next = self.gate.encode(&self.stand.cursor(&self.stand.next))?;
        Polled { subscription: self.stand.subscription, lines: self.lines }.emit(&self.gate.metrics);
        let mut bytes = serde_json::to_vec(&line).map_err(|_| refusals::fault())?;
        bytes.push(b'\n');
        Ok(bytes.into())
    }

    fn fail(&mut self, refusal: Refusal) -> Refusal {
        self.finished = true;
        PollRefused { subscription: self.stand.subscription, refusal: &refusal }.emit(&self.gate.metrics);
        if let Some(reading) = self.reading.take() {
            self.gate.windows.close(&reading.window, CloseReason::Reader);
        }
        refusal
    }

    fn views(&self) -> Option<Partitions> {
        self.gate.committer.views().get(key_of(&self.reading.as_ref()?.fetcher.topic))
    }
}

impl Drop for Delivery {
    /// The reader has gone before the end.
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.gate.windows.close(&reading.window, CloseReason::Reader);
        }
    }
}
