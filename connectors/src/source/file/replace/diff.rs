//! The difference as steps: first what is new or changed, in the file's order, then what is gone. The last step says
//! that the file is done; it leaves only after the file proved to be the one that was compared.

use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::File;
use changtong_catalog::error::Refusal;

use super::target::Wanted;
use crate::avro::{Format, Plan};
use crate::source::file::append::open;
use crate::source::file::body::{Rows, Shape};
use crate::source::file::position::Replaced;
use crate::source::file::refusals;
use crate::source::file::spec::{BATCH_BYTES, FileSourceSpec};
use crate::source::{Sender, Step};

pub(super) struct Work {
    pub spec: FileSourceSpec,
    pub label: String,
    pub plan: Arc<Plan>,
    pub wanted: Vec<Wanted>,
    pub deletes: Vec<Bytes>,
    pub from: Replaced,
}

/// Sends each step once the next one is known, so that the last can say it is.
struct Steps<'a> {
    sender: &'a Sender,
    at: Replaced,
    held: Option<Step>,
}

impl Steps<'_> {
    /// False when nobody wants more.
    fn put(&mut self, mut step: Step, aside: u64) -> bool {
        let taken = self.held.take().is_none_or(|held| self.sender.send(held));
        self.at.steps += 1;
        self.at.aside += aside;
        step.to = self.at.to_text();
        self.held = Some(step);
        taken
    }

    fn finish(self) {
        if let Some(mut last) = self.held {
            last.to = Replaced { done: true, ..self.at }.to_text();
            // Nobody wants it if this fails.
            let _ = self.sender.send(last);
        }
    }
}

impl Work {
    pub fn send(self, file: File, sender: &Sender) -> Result<(), Refusal> {
        let mut steps = Steps { sender, at: self.from.clone(), held: None };
        if self.upserts(file, &mut steps)? && self.send_deletes(&mut steps)? {
            steps.finish();
        }
        Ok(())
    }

    fn upserts(&self, file: File, steps: &mut Steps<'_>) -> Result<bool, Refusal> {
        let (mut records, layout) = open(&self.spec, &self.plan, &self.label, file)?;
        let shape = Shape { spec: &self.spec, label: &self.label, layout };
        let mut row = 0;
        let (mut batch, mut aside) = (Rows::default(), 0);
        while let Some(chunk) = records.next(self.spec.batch_records, BATCH_BYTES)? {
            let rows = shape.rows(&chunk)?;
            for at in 0..rows.len() {
                let wanted = self.wanted.get(row).copied().unwrap_or(Wanted::No);
                row += 1;
                if wanted == Wanted::No {
                    continue;
                }
                aside += u64::from(wanted == Wanted::Bad);
                batch.push(rows.row(at), rows.lines[at]);
                if batch.len() >= self.spec.batch_records || batch.bytes.len() >= BATCH_BYTES {
                    let step = step(&shape, std::mem::take(&mut batch));
                    if !steps.put(step, std::mem::take(&mut aside)) {
                        return Ok(false);
                    }
                }
            }
        }
        if records.digest() != self.from.digest {
            return Err(refusals::moving(&self.label));
        }
        if batch.len() > 0 {
            return Ok(steps.put(step(&shape, batch), aside));
        }
        Ok(true)
    }

    fn send_deletes(&self, steps: &mut Steps<'_>) -> Result<bool, Refusal> {
        for keys in self.deletes.chunks(self.spec.batch_records) {
            let mut body = Vec::new();
            for key in keys {
                self.plan.delete_line(key, &mut body)?;
            }
            let count = keys.len() as u64;
            let step = Step {
                body: Bytes::from(body),
                format: Format::Ndjson,
                records: count,
                deletes: count,
                to: String::new(),
                left: 0,
                lines: Vec::new(),
            };
            if !steps.put(step, 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn step(shape: &Shape<'_>, batch: Rows) -> Step {
    Step {
        body: Bytes::from(shape.body(&batch.bytes)),
        format: shape.format(),
        records: batch.len() as u64,
        deletes: 0,
        to: String::new(),
        left: 0,
        lines: batch.lines,
    }
}
