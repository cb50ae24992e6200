//! From the log to pieces of an answer: what is visible is read under a deliver permit, filtered, projected, masked
//! and cut into writes of at most 64 KiB.

use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::Generation;
use changtong_catalog::mac::MacKey;
use changtong_catalog::ports::Topic;
use changtong_catalog::visibility::PartitionView;

use super::super::budget::Held;
use super::super::permit::{Permit, PermitKind};
use super::super::{Gate, refusals};
use super::past::Over;
use super::stand::Stand;
use crate::aside::aside;
use crate::avro::{Passed, Places, View, container};
use crate::log::{LogRecord, Range, is_near};

/// The most bytes of one write (protocol.md 7).
pub(super) const PIECE: usize = 64 << 10;
/// Bytes asked of the log at once.
pub(in crate::gate) const READ: usize = 512 << 10;
/// Records asked of the log at once.
pub(in crate::gate) const RECORDS: usize = 8192;
/// And again, where all was passed over, or few filled what is rendered at once.
const FEWEST: usize = 64;
/// Bytes rendered at once, whatever an answer or a stream may still take: a small record of an earlier version may grow by
/// all the defaults of a later one.
const AT_ONCE: u64 = 4 << 20;

/// The most bytes that a block has beside its records: count, size and marker.
const FRAME: usize = 24;

/// One write and what it counts for.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub bytes: Bytes,
    /// The record lines that begin in it, whole, or its bytes of a container file: what the digest covers.
    pub lines: Bytes,
    pub sent: u64,
    pub passed_over: u64,
    /// Next offset per partition behind what was looked at.
    pub through: Vec<i64>,
    /// The same behind the farthest record that begins in it, if one does.
    pub let_out: Option<Vec<i64>>,
    /// It goes on with a line that began before.
    pub within_line: bool,
}

/// Reads on where it stopped.
pub(super) struct Fetcher {
    pub topic: Topic,
    /// Of a generation that is over.
    pub over: Option<Arc<Over>>,
    pub grant_version: i32,
    /// Which partition comes first this time, so that none starves.
    pub turn: usize,
    /// Records the next read asks for at least, where all was passed over. Else it asks for what there is room for: what
    /// is read beyond that is read again, and a reader of Kafka would have to go back for it.
    pub ask: usize,
    /// And at most, where not all of what was read could be rendered at once.
    pub most: usize,
    pub rendering: Rendering,
}

/// Makes pieces of records, from where it stopped.
#[derive(Clone)]
pub(super) struct Rendering {
    pub view: Arc<View>,
    pub generation: Generation,
    /// Whether the subscription wants delete lines.
    pub deletes: bool,
    pub form: Form,
    /// Next offset per partition.
    pub next: Vec<i64>,
}

/// What a record looks like on its way out.
#[derive(Clone)]
pub(super) enum Form {
    /// A line of NDJSON.
    Line,
    /// A server-sent event whose id is the cursor behind it.
    Event(Arc<EventIds>),
    /// In a block of a container file with this marker behind it.
    Block([u8; 16]),
}

/// Makes the ids of a stream's events.
pub(super) struct EventIds {
    pub stand: Stand,
    pub key: MacKey,
}

impl Form {
    /// Makes of a record's line, with the places behind it, what is let out.
    fn dress(&self, line: &mut Vec<u8>, behind: &[i64]) {
        let Self::Event(ids) = self else { return };
        let id = ids.stand.cursor(behind).encode(&ids.key);
        let record = std::mem::take(line);
        line.extend_from_slice(b"id: ");
        line.extend_from_slice(id.as_bytes());
        line.extend_from_slice(b"\ndata: ");
        // The line ends with its line feed; an empty one ends the event.
        line.extend_from_slice(&record);
        line.push(b'\n');
    }
}

/// How much a fetch may render.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub lines: u64,
    pub bytes: u64,
    /// Whether a first record may be longer than all of it.
    pub first: bool,
}

impl Fetcher {
    /// One read of the log, as pieces, with the share of the budget that is held for it. None at all: nothing was there, or
    /// there is no room for the first line.
    pub async fn fetch(
        &mut self,
        gate: &Gate,
        views: &[PartitionView],
        room: Room,
        held: Option<Held>,
    ) -> Result<(Vec<Piece>, Option<Held>), Refusal> {
        let ranges = visible_ranges(views, &self.rendering.next, self.turn);
        let topic = &self.topic;
        let kind = PermitKind::Deliver { grant_version: self.grant_version };
        let deadline = gate.settings.append_deadline;
        let room_for = usize::try_from(room.lines).unwrap_or(RECORDS);
        let most = room_for.max(self.ask).clamp(1, self.most);
        let bytes = usize::try_from(room.bytes).unwrap_or(READ).clamp(PIECE, READ);
        let permit =
            || Permit::mint(kind, topic.name.clone(), topic.resource, topic.generation, most, deadline);
        let mut records = match &self.over {
            Some(over) => over.read(gate, &ranges, permit, bytes).await?,
            None => gate.tail.read(permit(), &ranges, bytes).await?,
        };
        self.turn = self.turn.wrapping_add(1);
        let read = records.len();
        let (pieces, held) = if is_near(&ranges) {
            (self.rendering.render(&records, &ranges, room)?, held)
        } else {
            // Who leaves meanwhile leaves the records there, so what is held for them stays with them.
            let mut rendering = self.rendering.clone();
            let rendered = aside(move || {
                let pieces = rendering.render(&records, &ranges, room);
                records.retain(|record| rendering.is_unused(record));
                (rendering, pieces, held, records)
            });
            let (rendering, pieces, held, unused) = rendered.await.map_err(|_| refusals::fault())?;
            self.rendering = rendering;
            if !unused.is_empty() {
                gate.log.put_back(&self.topic.name, unused);
            }
            (pieces?, held)
        };
        let used = pieces.iter().map(|piece| piece.sent + piece.passed_over).sum::<u64>() as usize;
        self.most = if used < read { (2 * used).clamp(FEWEST, RECORDS) } else { RECORDS };
        let passed_over_all = pieces.iter().all(|piece| piece.sent == 0);
        self.ask = if passed_over_all { (2 * most).max(FEWEST) } else { 0 };
        Ok((pieces, held))
    }

    /// About what the next read will hold in memory, until what it brought is rendered.
    pub fn weight(&self, views: &[PartitionView]) -> u64 {
        /// As large as records mostly are.
        const RECORD: u64 = 1 << 10;
        let ranges = visible_ranges(views, &self.rendering.next, self.turn);
        let records: u64 = ranges.iter().map(|range| (range.to - range.from).unsigned_abs()).sum();
        records.saturating_mul(RECORD).clamp(2 * PIECE as u64, 2 * READ as u64)
    }
}

impl Rendering {
    fn render(&mut self, records: &[LogRecord], ranges: &[Range], room: Room) -> Result<Vec<Piece>, Refusal> {
        let marker = if let Form::Block(marker) = self.form { Some(marker) } else { None };
        let mut cutter = Cutter::new(marker, self.next.clone());
        let (mut line, mut places) = (Vec::with_capacity(1024), Places::default());
        let (mut lines, mut bytes) = (0, 0);
        for record in records {
            let Some(at) = self.expected(record, ranges) else { continue };
            line.clear();
            let generation = self.generation;
            let passed = match self.form {
                Form::Block(_) => self.view.datum(generation, record, self.deletes, &mut places, &mut line),
                Form::Line | Form::Event(_) => {
                    self.view.line(generation, record, self.deletes, &mut places, &mut line)
                }
            };
            match passed {
                Ok(Passed::Over) => cutter.pass_over(at, record.offset + 1),
                Ok(Passed::Sent) => {
                    let here = std::mem::replace(&mut self.next[at], record.offset + 1);
                    self.form.dress(&mut line, &self.next);
                    bytes += (line.len() + cutter.frame(line.len())) as u64;
                    let beyond = bytes > room.bytes && (lines > 0 || !room.first);
                    let enough = bytes > AT_ONCE && lines > 0;
                    if lines == room.lines || beyond || enough {
                        self.next[at] = here;
                        break;
                    }
                    lines += 1;
                    cutter.line(at, record.offset + 1, &line);
                }
                // What was rendered before it goes out first; the next read begins with it and says so.
                Err(_) if cutter.has_any() => break,
                Err(refusal) => return Err(refusal),
            }
            self.next[at] = record.offset + 1;
        }
        Ok(cutter.finish())
    }

    fn is_unused(&self, record: &LogRecord) -> bool {
        let next = usize::try_from(record.partition).ok().and_then(|at| self.next.get(at));
        next.is_some_and(|next| record.offset >= *next)
    }

    /// The partition's index if the record is the very next one that was asked for in its partition. Behind a gap
    /// nothing is taken: what was left out would never be read again.
    fn expected(&self, record: &LogRecord, ranges: &[Range]) -> Option<usize> {
        let at = usize::try_from(record.partition).ok()?;
        let range = ranges.iter().find(|range| range.partition == record.partition)?;
        let next = range.from.max(*self.next.get(at)?);
        (record.offset == next && next < range.to).then_some(at)
    }
}

/// What may be read from `next` on, the partitions in turn: of each the first stretch without a dead record. What lies
/// behind the dead ones is for a later read, as the log reads a partition from one place.
pub(in crate::gate) fn visible_ranges(views: &[PartitionView], next: &[i64], turn: usize) -> Vec<Range> {
    let partitions = views.len().min(next.len());
    let order = (0..partitions).map(|step| (turn + step) % partitions);
    order
        .filter_map(|at| {
            let visible = views[at].visible(next[at], i64::MAX).next()?;
            Some(Range { partition: i32::try_from(at).ok()?, from: visible.start, to: visible.end })
        })
        .collect()
}

/// Cuts lines into pieces.
struct Cutter {
    /// Of the blocks that the pieces are, in a container file.
    marker: Option<[u8; 16]>,
    pieces: Vec<Piece>,
    buffer: Vec<u8>,
    sent: u64,
    passed_over: u64,
    through: Vec<i64>,
    let_out: Option<Vec<i64>>,
}

impl Cutter {
    fn new(marker: Option<[u8; 16]>, through: Vec<i64>) -> Self {
        Self {
            marker,
            pieces: Vec::new(),
            buffer: Vec::new(),
            sent: 0,
            passed_over: 0,
            through,
            let_out: None,
        }
    }

    fn has_any(&self) -> bool {
        !self.pieces.is_empty() || self.sent + self.passed_over > 0
    }

    fn pass_over(&mut self, partition: usize, next: i64) {
        self.passed_over += 1;
        self.through[partition] = next;
    }

    /// Bytes that a record of this length brings with it: its block's, if it begins one.
    fn frame(&self, line: usize) -> usize {
        let begins = self.buffer.is_empty() || !self.has_room(line);
        if begins && self.marker.is_some() { FRAME } else { 0 }
    }

    fn has_room(&self, line: usize) -> bool {
        let most = if self.marker.is_none() { PIECE } else { PIECE - FRAME };
        self.buffer.len() + line <= most
    }

    fn line(&mut self, partition: usize, next: i64, line: &[u8]) {
        if !self.has_room(line.len()) {
            self.flush();
        }
        self.sent += 1;
        self.through[partition] = next;
        self.let_out.get_or_insert_with(|| vec![0; self.through.len()])[partition] = next;
        self.buffer.extend_from_slice(line);
        if !self.has_room(0) {
            self.flush();
        }
    }

    /// A single line longer than a piece leaves in several; it counts with the first.
    fn flush(&mut self) {
        if !self.has_pending() {
            return;
        }
        let mut lines = std::mem::take(&mut self.buffer);
        if let (Some(marker), 1..) = (self.marker, self.sent) {
            let records = std::mem::take(&mut lines);
            container::put_block(self.sent, &records, marker, &mut lines);
        }
        let lines = Bytes::from(lines);
        let mut rest = lines.clone();
        let first = rest.split_to(rest.len().min(PIECE));
        self.pieces.push(Piece {
            bytes: first,
            lines,
            sent: std::mem::take(&mut self.sent),
            passed_over: std::mem::take(&mut self.passed_over),
            through: self.through.clone(),
            let_out: self.let_out.take(),
            within_line: false,
        });
        while !rest.is_empty() {
            let bytes = rest.split_to(rest.len().min(PIECE));
            self.pieces.push(Piece {
                bytes,
                lines: Bytes::new(),
                sent: 0,
                passed_over: 0,
                through: self.through.clone(),
                let_out: None,
                within_line: true,
            });
        }
    }

    fn has_pending(&self) -> bool {
        self.sent + self.passed_over > 0
    }

    fn finish(mut self) -> Vec<Piece> {
        self.flush();
        self.pieces
    }
}
