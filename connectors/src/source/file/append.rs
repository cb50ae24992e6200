//! `append`: whole lines behind the stored position, after what lies before it proved to be what was read then.

use bytes::Bytes;
use cap_std::fs::File;
use changtong_catalog::error::Refusal;
use changtong_catalog::ports::ResourceStanding;

use super::body::Shape;
use super::decode::{decode, without_mark};
use super::layout::Layout;
use super::position::Appended;
use super::raw::RawRecords;
use super::refusals;
use super::spec::{BATCH_BYTES, FileFormat, FileSourceSpec};
use super::split::Splitter;
use crate::avro::Plan;
use crate::root::unreadable;
use crate::source::{Reading, Sender, Step};

pub(super) fn read(
    spec: &FileSourceSpec,
    standing: &ResourceStanding,
    label: &str,
    file: File,
    position: &str,
) -> Result<Reading, Refusal> {
    let from = Appended::parse(position).ok_or_else(|| refusals::not_our_position(label))?;
    // Partitions mean nothing here: the plan only tells items.
    let plan = Plan::compile(standing, 1)?;
    let (spec, label) = (spec.clone(), label.to_owned());
    Ok(Reading::ahead(move |steps| send(&spec, &plan, &label, file, &from, steps)))
}

fn send(
    spec: &FileSourceSpec,
    plan: &Plan,
    label: &str,
    file: File,
    from: &Appended,
    steps: &Sender,
) -> Result<(), Refusal> {
    let size = file.metadata().map_err(|error| unreadable(label, &error))?.len();
    if size < from.bytes {
        return Err(refusals::truncated(label, from.bytes, size));
    }
    let (mut records, layout) = open(spec, plan, label, file)?;
    if records.bytes() > from.bytes && from.bytes > 0 {
        return Err(refusals::changed(label, from.bytes));
    }
    if from.bytes > 0 && !(records.skip_to(from.bytes)? && records.digest() == from.digest) {
        return Err(refusals::changed(label, from.bytes));
    }
    let shape = Shape { spec, label, layout };
    while let Some(chunk) = records.next(spec.batch_records, BATCH_BYTES)? {
        let rows = shape.rows(&chunk)?;
        if rows.len() == 0 {
            continue;
        }
        let to = Appended { bytes: records.bytes(), lines: records.lines(), digest: records.digest() };
        let step = Step {
            body: Bytes::from(shape.body(&rows.bytes)),
            format: shape.format(),
            records: rows.len() as u64,
            deletes: 0,
            to: to.to_text(),
            left: size.saturating_sub(records.bytes()),
            lines: rows.lines,
        };
        if !steps.send(step) {
            return Ok(());
        }
    }
    steps.left(records.rest());
    Ok(())
}

/// The records of a file behind its header. Without a whole header there are none.
pub(super) fn open<R: std::io::Read>(
    spec: &FileSourceSpec,
    plan: &Plan,
    label: &str,
    file: R,
) -> Result<(RawRecords<R>, Option<Layout>), Refusal> {
    if spec.format == FileFormat::Ndjson {
        return Ok((RawRecords::new(file, label, Splitter::Lines), None));
    }
    let delimiter = u8::try_from(spec.delimiter).unwrap_or(b',');
    let mut records = RawRecords::new(file, label, Splitter::csv(delimiter));
    let header = records.next(1, usize::MAX)?.map(|chunk| chunk.raw).unwrap_or_default();
    let text = decode(spec.encoding, &header).map_err(|line| refusals::undecodable(label, line + 1))?;
    let layout = Layout::of(without_mark(&text), plan, spec, label)?;
    Ok((records, Some(layout)))
}
