//! What is read for an answer: before a window is opened, so that none opens where nothing is to be sent, and on
//! while it stands. It holds the pieces that have not been let out, and what the answer may still take.

use std::collections::VecDeque;

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ports::Topic;

use super::super::budget::Held;
use super::super::{Gate, refusals};
use super::fetch::{EventIds, Fetcher, Form, Piece, READ, RECORDS, Rendering, Room};
use super::seat::Seat;
use super::stand::{Stand, anything, skip_dead};
use super::window::Window;
use crate::avro::container;
use crate::commit::key_of;
use crate::events::PassedOver;
use crate::limit::{Cost, Limiter, Rates, Subject};

/// What one answer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub lines: u64,
    pub bytes: u64,
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// There are pieces with lines.
    Found,
    /// Records were looked at, none is to be sent.
    PassedOver,
    /// Nothing is there.
    Nothing,
    /// The answer or its window has what it may.
    Full,
}

pub(super) struct Reading {
    /// Of the container file that the pieces are blocks of; empty for lines.
    head: Bytes,
    stand: Stand,
    fetcher: Fetcher,
    share: Share,
    levels: Vec<(Subject, Rates)>,
    /// What is read from now on must fit into its share.
    bounded: bool,
    pieces: VecDeque<Piece>,
    /// Where the pieces begin.
    from: Vec<i64>,
    /// Of the budget of bytes in flight, while there are pieces.
    held: Option<Held>,
}

impl Gate {
    pub(super) fn reading(
        &self,
        seat: &Seat,
        stand: Stand,
        topic: Topic,
        form: Form,
        share: Share,
    ) -> Result<Reading, Refusal> {
        let (standing, next) = (&seat.standing, stand.next.clone());
        let view = self.plans.view(&standing.resource, &standing.grant, &self.keys, topic.partitions)?;
        let head = match form {
            Form::Block(marker) => {
                let schema = view.delivered_schema(&standing.derived_schema.text);
                container::head(schema.as_bytes(), marker).into()
            }
            Form::Line | Form::Event(_) => Bytes::new(),
        };
        let share = Share { bytes: share.bytes.saturating_sub(head.len() as u64).max(1), ..share };
        let turn = next.iter().fold(0, |turn, next| turn ^ next.unsigned_abs() as usize);
        let (generation, deletes) = (topic.generation, standing.subscription.deletes);
        let rendering = Rendering { view, generation, deletes, form, next: next.clone() };
        let (over, grant_version) = (stand.past.clone(), standing.grant.version);
        let fetcher = Fetcher { topic, over, grant_version, turn, ask: 0, most: RECORDS, rendering };
        let levels = self.levels(seat);
        let pieces = VecDeque::new();
        Ok(Reading { head, stand, fetcher, share, levels, bounded: false, pieces, from: next, held: None })
    }
}

impl Gate {
    pub(super) fn event_ids(&self, stand: &Stand) -> Result<EventIds, Refusal> {
        let key = self.keys.cursor.get(self.keys.cursor.current())?.clone();
        Ok(EventIds { stand: stand.clone(), key })
    }
}

impl Reading {
    /// Where the answer began.
    pub fn began(&self) -> &[i64] {
        &self.stand.next
    }

    /// Where the pieces begin: a window for them starts there.
    pub fn from(&self) -> &[i64] {
        &self.from
    }

    pub fn topic(&self) -> &Topic {
        &self.fetcher.topic
    }

    /// Where it stands behind all that was looked at.
    pub fn behind(&self) -> Stand {
        Stand { next: self.fetcher.rendering.next.clone(), ..self.stand.clone() }
    }

    /// Whether nothing more comes of its generation, which is over, as its log lacks it.
    pub fn is_cut_off(&self) -> bool {
        self.fetcher.over.as_ref().is_some_and(|over| over.is_cut_off(&self.fetcher.rendering.next))
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The head of the file that its pieces are blocks of.
    pub fn head(&self) -> &Bytes {
        &self.head
    }

    /// Of a file that is made whole: so many records may still leave. Answers the share of the budget for all of it.
    pub fn bound(&mut self, gate: &Gate, records: u64) -> Result<Held, Refusal> {
        self.bounded = true;
        self.share.lines = self.share.lines.min(records.saturating_sub(sent(&self.pieces)));
        let there: u64 = self.pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
        gate.budget.take(self.head.len() as u64 + there + self.share.bytes)
    }

    pub fn next_piece(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front();
        if self.pieces.is_empty() {
            self.held = None;
        }
        piece
    }

    /// The next piece, if it goes on with a line that has begun.
    pub fn rest_of_line(&mut self) -> Option<Piece> {
        if self.pieces.front()?.within_line { self.next_piece() } else { None }
    }

    /// A piece that could not be let out waits for another window, which begins at `from`.
    pub fn put_back(&mut self, piece: Piece, from: &[i64]) {
        self.pieces.push_front(piece);
        self.from = from.to_vec();
    }

    /// Reads on. Outside a window what is passed over counts in none. A rate that is used up for the moment, and no
    /// room in memory, are refusals after which it stands where it stood.
    pub async fn look(&mut self, gate: &Gate, window: Option<&Window>) -> Result<Look, Refusal> {
        let Some(views) = gate.committer.views().get(key_of(&self.fetcher.topic)) else {
            return Ok(Look::Nothing);
        };
        self.fetcher.rendering.next = skip_dead(&views, &self.fetcher.rendering.next);
        if !anything(&views, &self.fetcher.rendering.next) {
            return Ok(Look::Nothing);
        }
        let (records, bytes) = gate.limiter.spare(&self.levels);
        let left = window.map_or(gate.settings.window_records, Window::left);
        if left == 0 || self.share.lines == 0 || self.share.bytes == 0 {
            return Ok(Look::Full);
        }
        if records == 0 || bytes == 0 {
            gate.limiter.check_only(&self.levels, Cost { requests: 0, records: 1, bytes: 1 })?;
            // There is some again: another look finds it.
            return Ok(Look::PassedOver);
        }
        let room = Room {
            lines: self.share.lines.min(left).min(records),
            bytes: self.share.bytes.min(bytes),
            first: !self.bounded,
        };
        let before = self.fetcher.rendering.next.clone();
        let held = gate.budget.take(self.fetcher.weight(&views))?;
        let read = self.fetcher.fetch(gate, &views, room, Some(held)).await;
        let (pieces, mut held) = self.explained(gate, read).await?;
        let bytes: u64 = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
        if let Some(Err(refusal)) = held.as_mut().map(|held| held.resize(bytes)) {
            self.fetcher.rendering.next = before;
            return Err(refusal);
        }
        if pieces.is_empty() {
            return Ok(Look::Nothing);
        }
        let sent = sent(&pieces);
        if sent == 0 && window.is_none() {
            PassedOver { records: pieces.iter().map(|piece| piece.passed_over).sum() }.emit(&gate.metrics);
            return Ok(Look::PassedOver);
        }
        // A single line may be longer than a second's worth; then it costs the whole second.
        let charged = bytes.min(Limiter::most_bytes(&self.levels));
        let cost = Cost { requests: 0, records: sent, bytes: charged };
        if let Err(refusal) = gate.limiter.take(&self.levels, cost) {
            // Another was faster, or a single line weighs more than is there yet.
            self.fetcher.rendering.next = before;
            return Err(refusal);
        }
        self.share.lines -= sent.min(self.share.lines);
        self.share.bytes = self.share.bytes.saturating_sub(bytes);
        if self.pieces.is_empty() {
            self.from = before;
        }
        self.pieces.extend(pieces);
        self.held = held;
        Ok(if sent == 0 { Look::PassedOver } else { Look::Found })
    }

    /// Where fewer lines may leave than were read, only as many are read again; they are paid for.
    pub async fn fit(&mut self, gate: &Gate, left: u64) -> Result<(), Refusal> {
        if sent(&self.pieces) <= left {
            return Ok(());
        }
        let Some(views) = gate.committer.views().get(key_of(&self.fetcher.topic)) else {
            return Err(refusals::fault());
        };
        self.pieces.clear();
        self.fetcher.rendering.next.clone_from(&self.from);
        let (room, held) = (Room { lines: left, bytes: READ as u64, first: true }, self.held.take());
        let read = self.fetcher.fetch(gate, &views, room, held).await;
        let (pieces, held) = self.explained(gate, read).await?;
        self.pieces.extend(pieces);
        self.held = held;
        Ok(())
    }

    /// A position whose records have left retention is told with the first that is still there.
    async fn explained<T>(&self, gate: &Gate, read: Result<T, Refusal>) -> Result<T, Refusal> {
        match read {
            Err(refusal) if refusal.code == Code::PositionExpired => {
                let kept = gate.kept_behind(&self.fetcher.topic, &self.fetcher.rendering.next).await?;
                Err(refusals::expired(gate.encode(&self.stand.cursor(&kept))?))
            }
            read => read,
        }
    }
}

fn sent<'p>(pieces: impl IntoIterator<Item = &'p Piece>) -> u64 {
    pieces.into_iter().map(|piece| piece.sent).sum()
}
