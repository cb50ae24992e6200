//! The old partitions as one stream of records in the order of the merge, a few of each held at a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range as Offsets;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::generation::{Merge, Turn};
use changtong_catalog::ports::Topic;
use changtong_catalog::visibility::Run;

use super::super::doubt::read_twice;
use super::super::permit::{Permit, PermitKind};
use super::super::{Gate, refusals};
use crate::log::{LogRecord, Range, damaged_offsets, expired_firsts};

/// Bytes held of all partitions together, and the least of one.
const HELD: usize = 16 << 20;
const LEAST: usize = 64 << 10;
/// Records asked of a partition at once.
const RECORDS: usize = 4096;

pub(super) struct Sources<'g> {
    gate: &'g Gate,
    topic: &'g Topic,
    parts: Vec<Part>,
    /// The next record of each partition that has one.
    heads: BinaryHeap<Reverse<(Turn, usize)>>,
    begun: bool,
    /// What counts and could not be read.
    damaged: Vec<Run>,
}

struct Part {
    /// What is still to be read, in order.
    left: VecDeque<Offsets<i64>>,
    read: VecDeque<LogRecord>,
}

impl<'g> Sources<'g> {
    /// What counts of each partition, up to its end.
    pub(super) fn new(gate: &'g Gate, topic: &'g Topic, seen: &[Vec<Offsets<i64>>], ends: &[i64]) -> Self {
        let part = |(seen, end): (&Vec<Offsets<i64>>, &i64)| {
            let there = seen.iter().map(|range| range.start..range.end.min(*end));
            Part { left: there.filter(|range| range.start < range.end).collect(), read: VecDeque::new() }
        };
        let parts = seen.iter().zip(ends).map(part).collect();
        Self { gate, topic, parts, heads: BinaryHeap::new(), begun: false, damaged: Vec::new() }
    }

    pub(super) fn damaged(&self) -> &[Run] {
        &self.damaged
    }

    /// The next record of the merge.
    pub(super) async fn next(&mut self, merge: &mut Merge) -> Result<Option<LogRecord>, Refusal> {
        if !self.begun {
            self.begun = true;
            for at in 0..self.parts.len() {
                self.push_head(at, merge).await?;
            }
        }
        let Some(Reverse((_, at))) = self.heads.pop() else { return Ok(None) };
        let record = self.parts.get_mut(at).and_then(|part| part.read.pop_front());
        self.push_head(at, merge).await?;
        Ok(record)
    }

    async fn push_head(&mut self, at: usize, merge: &mut Merge) -> Result<(), Refusal> {
        self.fill(at).await?;
        if let Some(record) = self.parts.get(at).and_then(|part| part.read.front()) {
            let turn = merge.turn(at, record.offset, record.appended_ms);
            self.heads.push(Reverse((turn, at)));
        }
        Ok(())
    }

    /// Reads on where nothing is held any more.
    async fn fill(&mut self, at: usize) -> Result<(), Refusal> {
        let bytes = (HELD / self.parts.len().max(1)).max(LEAST);
        let (gate, topic) = (self.gate, self.topic);
        let Some(part) = self.parts.get_mut(at) else { return Ok(()) };
        let partition = i32::try_from(at).map_err(|_| refusals::fault())?;
        while part.read.is_empty() {
            let Some(next) = part.left.front().cloned() else { return Ok(()) };
            gate.admit()?;
            let deadline = gate.settings.append_deadline;
            let (name, number, generation) = (topic.name.clone(), topic.resource, topic.generation);
            let permit =
                || Permit::mint(PermitKind::Copy, name.clone(), number, generation, RECORDS, deadline);
            let range = Range { partition, from: next.start, to: next.end };
            match read_twice(&*gate.log, permit, range, bytes).await {
                Ok(records) => part.take(next, records).ok_or_else(|| refusals::log_silent(&topic.name))?,
                // Retention went on meanwhile: what is gone is not there to be copied.
                Err(refusal) if refusal.code == Code::PositionExpired => {
                    let first = expired_firsts(&refusal).first().map_or(next.end, |(_, first)| *first);
                    part.skip_to(first.max(next.start + 1));
                }
                // What lies between is lost; what lies on both sides is still there.
                Err(refusal) => match damaged_offsets(&refusal) {
                    Some((from, until)) => {
                        let cut = part.cut(from, until).ok_or(refusal)?;
                        let (first, last) = (cut.start, cut.end - 1);
                        self.damaged.push(Run { partition, first, last });
                    }
                    None => return Err(refusal),
                },
            }
        }
        Ok(())
    }
}

impl Part {
    /// Holds what was read of the first range; `None` if that is not its beginning.
    fn take(&mut self, asked: Offsets<i64>, records: Vec<LogRecord>) -> Option<()> {
        let mut next = asked.start;
        for record in records {
            if record.offset != next || next >= asked.end {
                break;
            }
            next += 1;
            self.read.push_back(record);
        }
        if next == asked.start {
            return None;
        }
        self.skip_to(next);
        Some(())
    }

    /// Leaves out what of the first range lies in `[from, until)`, and answers it; `None` if nothing does.
    fn cut(&mut self, from: i64, until: i64) -> Option<Offsets<i64>> {
        let range = self.left.front()?.clone();
        let cut = from.max(range.start)..until.min(range.end);
        if cut.is_empty() {
            return None;
        }
        self.left.pop_front();
        for half in [cut.end..range.end, range.start..cut.start].into_iter().filter(|half| !half.is_empty()) {
            self.left.push_front(half);
        }
        Some(cut)
    }

    fn skip_to(&mut self, first: i64) {
        while let Some(range) = self.left.front_mut() {
            if first < range.end {
                range.start = first.max(range.start);
                return;
            }
            self.left.pop_front();
        }
    }
}
