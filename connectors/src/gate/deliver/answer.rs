//! One answer, piece by piece: each leaves under its window's lock, and the last line says where it ended.

use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::WindowId;
use changtong_catalog::ports::CloseReason;
use futures::Stream;
use serde::Serialize;

use super::super::{Gate, refusals};
use super::fetch::Piece;
use super::reading::{Look, Reading};
use super::stand::{Stand, skip_dead};
use super::window::{Over, Window};
use crate::commit::{Partitions, key_of};
use crate::events::{LetOut, PollRefused, Polled};
use crate::fault;

/// One answer: pieces of at most 64 KiB, the last one holding the final line.
pub struct Delivery {
    pub(super) gate: Arc<Gate>,
    /// Where the answer stands: behind what was let out.
    pub(super) stand: Stand,
    pub(super) open: Option<Open>,
    lines: u64,
    pub(super) finished: bool,
}

pub(super) struct Open {
    pub window: Arc<Window>,
    pub reading: Reading,
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
    /// Nothing was to be sent: no window, only the final line.
    pub(super) fn empty(gate: &Arc<Gate>, stand: Stand) -> Self {
        Self { gate: gate.clone(), stand, open: None, lines: 0, finished: false }
    }

    /// What was read leaves in this window.
    pub(super) async fn begin(
        gate: &Arc<Gate>,
        window: Arc<Window>,
        reading: Reading,
    ) -> Result<Self, Refusal> {
        let left = window.left();
        let stand = Stand { next: reading.from().to_vec(), ..reading.behind() };
        let open = Some(Open { window, reading });
        let mut delivery = Self { gate: gate.clone(), stand, open, lines: 0, finished: false };
        if let Some(open) = &mut delivery.open {
            open.reading.fit(gate, left).await?;
        }
        Ok(delivery)
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
            let Some(open) = &mut self.open else { return Some(self.finish()) };
            let Some(piece) = open.reading.next_piece() else {
                // What fails while the answer runs is said to the next poll, which starts where this one ends.
                match open.reading.look(&self.gate, Some(&open.window)).await {
                    Ok(Look::Found | Look::PassedOver) => continue,
                    _ => return Some(self.finish()),
                }
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

    pub(super) fn let_out(&mut self, piece: &Piece) -> Result<(), Over> {
        let Some(open) = &self.open else { return Err(Over::Finished) };
        open.window.let_out(piece, self.gate.clock.monotonic())?;
        fault::point(fault::SENT);
        self.stand.next.clone_from(&piece.through);
        self.lines += piece.sent;
        let bytes = piece.lines.len() as u64;
        LetOut { lines: piece.sent, bytes, passed_over: piece.passed_over }.emit(&self.gate.metrics);
        Ok(())
    }

    /// The final line; the window stays open for the next poll.
    fn finish(&mut self) -> Result<Bytes, Refusal> {
        let end = self.end_behind(&self.stand.next);
        let (window, digest) = self.close(end)?.unzip();
        let next = self.gate.encode(&self.stand.cursor(&self.stand.next))?;
        let line = FinalLine { next, window, digest };
        let mut bytes = serde_json::to_vec(&line).map_err(|_| refusals::fault())?;
        bytes.push(b'\n');
        Ok(bytes.into())
    }

    /// The end of the answer, in order; its window and the digest so far.
    pub(super) fn close(&mut self, end: Vec<i64>) -> Result<Option<(WindowId, String)>, Refusal> {
        if self.open.as_ref().is_some_and(|open| open.window.is_ended()) {
            return Err(self.fail(refusals::ended()));
        }
        self.finished = true;
        self.stand.next = end;
        let told = self.open.take().map(|Open { window, .. }| {
            let digest = window.release(&self.stand.next);
            if window.is_used_up() {
                self.gate.windows.close(&window, CloseReason::Count);
            }
            (window.id, digest)
        });
        Polled { subscription: self.stand.subscription, lines: self.lines }.emit(&self.gate.metrics);
        Ok(told)
    }

    /// Where the answer ends that stands there: dead records behind it are passed.
    pub(super) fn end_behind(&self, next: &[i64]) -> Vec<i64> {
        self.views().map_or_else(|| next.to_vec(), |views| skip_dead(&views, next))
    }

    pub(super) fn fail(&mut self, refusal: Refusal) -> Refusal {
        self.finished = true;
        PollRefused { subscription: self.stand.subscription, refusal: &refusal }.emit(&self.gate.metrics);
        if let Some(open) = self.open.take() {
            self.gate.windows.close(&open.window, CloseReason::Reader);
        }
        refusal
    }

    fn views(&self) -> Option<Partitions> {
        self.gate.committer.views().get(key_of(self.open.as_ref()?.reading.topic()))
    }
}

impl Drop for Delivery {
    /// The reader has gone before the end.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.gate.windows.close(&open.window, CloseReason::Reader);
        }
    }
}
