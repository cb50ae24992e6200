//! An answer as a container file (interface.md 6): made whole, so that its headers can say where it ends, then let out
//! like every other in pieces under its window's lock. A file that breaks off is none: the connection is reset.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::WindowId;

use super::super::budget::Held;
use super::super::calls::Poll;
use super::super::{Gate, refusals};
use super::answer::{Delivery, Open};
use super::fetch::{PIECE, Piece};
use super::reading::Look;
use super::window::Over;
use crate::avro::container;

/// A container file, and what its headers say.
pub struct File {
    /// The cursor behind the last record read.
    pub next: String,
    /// `None`: nothing was to be sent, the file holds no record.
    pub window: Option<WindowId>,
    /// The window's digest behind this file.
    pub digest: Option<String>,
    /// Its bytes.
    pub length: u64,
    delivery: Delivery,
    pieces: VecDeque<Piece>,
    end: Vec<i64>,
    /// Of the budget of bytes in flight, until it has left.
    _held: Option<Held>,
}

impl Gate {
    /// Answers one read of a subscription with a container file.
    pub async fn deliver_file(self: &Arc<Self>, poll: Poll) -> Result<File, Refusal> {
        let mut marker = [0; 16];
        self.ids.fill(&mut marker);
        let mut delivery = self.deliver_as(&poll, Some(marker)).await?;
        let head = match &delivery.open {
            Some(open) => open.reading.head().clone(),
            None => self.empty_head(&poll, marker).await?,
        };
        let mut pieces = head_pieces(head, &delivery.stand.next);
        let held = delivery.gather(&mut pieces).await?;
        let behind = pieces.back().map_or(&delivery.stand.next, |piece| &piece.through);
        let end = delivery.end_behind(behind);
        let next = self.encode(&delivery.stand.cursor(&end))?;
        let lines = pieces.iter().map(|piece| &piece.lines[..]);
        let told = delivery.open.as_ref().map(|open| (open.window.id, open.window.digest_behind(lines)));
        let (window, digest) = told.unzip();
        let length = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
        Ok(File { next, window, digest, length, delivery, pieces, end, _held: held })
    }

    /// The head of a file without records, for which nothing was read.
    async fn empty_head(&self, poll: &Poll, marker: [u8; 16]) -> Result<Bytes, Refusal> {
        let seat = self.seat(&poll.caller, poll.subscription, poll.purpose.as_deref()).await?;
        let standing = &seat.standing;
        let topic = self.topics.known(&standing.resource);
        let partitions = topic.map_or(self.settings.partitions, |topic| topic.partitions);
        let view = self.plans.view(&standing.resource, &standing.grant, &self.keys, partitions)?;
        Ok(container::head(view.delivered_schema(&standing.derived_schema.text).as_bytes(), marker).into())
    }
}

impl Delivery {
    /// Everything that this answer lets out, read while there is time to let it out.
    async fn gather(&mut self, pieces: &mut VecDeque<Piece>) -> Result<Option<Held>, Refusal> {
        let Some(Open { window, reading }) = &mut self.open else { return Ok(None) };
        let held = reading.bound(&self.gate, window.left())?;
        loop {
            while let Some(piece) = reading.next_piece() {
                pieces.push_back(piece);
            }
            if window.ends_within(self.gate.settings.window / 2, self.gate.clock.monotonic()) {
                return Ok(Some(held));
            }
            // What fails now is said to the next call, which starts where this file ends.
            match reading.look(&self.gate, Some(window)).await {
                Ok(Look::Found | Look::PassedOver) => {}
                _ => return Ok(Some(held)),
            }
        }
    }

    /// Lets a piece of a file out, of which nothing may be missing.
    fn let_out_whole(&mut self, piece: &Piece) -> Result<(), Refusal> {
        if let Err(refusal) = self.gate.alive.check() {
            return Err(self.fail(refusal));
        }
        if self.open.is_none() {
            return Ok(());
        }
        self.let_out(piece).map_err(|over| match over {
            Over::Finished => self.fail(refusals::slow_reader()),
            Over::Ended => self.fail(refusals::ended()),
        })
    }
}

impl File {
    /// The next piece; `None` behind the last. An error means that the delivery was ended: reset the connection.
    pub async fn next_piece(&mut self) -> Option<Result<Bytes, Refusal>> {
        while !self.delivery.finished {
            let piece = self.pieces.pop_front()?;
            if let Err(refusal) = self.delivery.let_out_whole(&piece) {
                return Some(Err(refusal));
            }
            // The answer ends with its last piece: who was told its length asks for nothing behind it.
            if self.pieces.is_empty()
                && let Err(refusal) = self.delivery.close(std::mem::take(&mut self.end))
            {
                return Some(Err(refusal));
            }
            if !piece.bytes.is_empty() {
                return Some(Ok(piece.bytes));
            }
        }
        None
    }
}

/// The head in writes like all others; no record begins in it.
fn head_pieces(mut head: Bytes, at: &[i64]) -> VecDeque<Piece> {
    let mut pieces = VecDeque::new();
    while !head.is_empty() {
        let bytes = head.split_to(head.len().min(PIECE));
        pieces.push_back(Piece {
            lines: bytes.clone(),
            bytes,
            sent: 0,
            passed_over: 0,
            through: at.to_vec(),
            let_out: None,
            within_line: false,
        });
    }
    pieces
}
