//! A foreign file as records of a resource: head, schema, blocks, and each datum checked and encoded anew.

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal, Text};

use super::super::body::{Sink, too_large};
use super::super::row::Row;
use super::cursor::Broken;
use super::file::{Block, Layout, behind_records};
use super::resolve;
use super::schema::Schema;
use super::value::{Fault, Reader};
use super::window::{Inflated, Room, Window};
use super::write;

/// Reads the file. What cannot be taken apart is refused whole; a record that does not fit is set aside, and the head
/// that makes it a file of its own is answered.
pub(in crate::avro) fn read(sink: &mut Sink<'_>, file: &[u8], room: Room<'_>) -> Result<Bytes, Refusal> {
    let mut layout = Layout::of(file)?;
    let schema = Schema::read(layout.schema)?;
    let reading = resolve::resolve(&schema, sink.plan)?;
    let reader = Reader { schema: &schema, reading: &reading, plan: sink.plan };
    let mut inflated = Inflated::default();
    while let Some(block) = layout.block()? {
        let data = &file[block.data.clone()];
        let limits = sink.limits;
        let mut window = Window::new(layout.codec, data, limits, &mut inflated, room);
        records(sink, &reader, &block, &mut window)?;
    }
    Ok(write::head(layout.schema, write::NO_MARKER).into())
}

fn records(
    sink: &mut Sink<'_>,
    reader: &Reader<'_>,
    block: &Block,
    window: &mut Window<'_, '_>,
) -> Result<(), Refusal> {
    let mut left = block.records;
    let mut row = Row::default();
    while left > 0 {
        let bytes = window.bytes();
        match reader.record(bytes, &mut row) {
            Ok(length) => {
                sink.take(length, &mut row, || Bytes::copy_from_slice(&bytes[..length]))?;
                window.pass(length);
                left -= 1;
            }
            Err(fault) if fault.broken == Broken::Short => {
                let most = sink.limits.record_bytes;
                if window.is_full() {
                    return Err(too_large(sink.index(), window.bytes().len(), most));
                }
                if !window.more()? {
                    return Err(undecodable(sink, block, fault));
                }
            }
            Err(fault) => return Err(undecodable(sink, block, fault)),
        }
    }
    if window.is_done()? { Ok(()) } else { Err(behind_records(block)) }
}

fn undecodable(sink: &Sink<'_>, block: &Block, fault: Fault) -> Refusal {
    let Text { zh, en } = fault.broken.text();
    let index = sink.index();
    let path = fault.item.map_or("", |at| sink.plan.fields[at].name());
    Refusal::new(
        Code::RecordUndecodable,
        format!("第 {index} 条记录无法按文件的模式解码:{zh};整个文件未发布"),
        format!(
            "record {index} cannot be decoded by the file's schema: {en}; nothing of the file was published"
        ),
    )
    .with("index", index)
    .with("path", path)
    .with("byte", block.whole.start)
}
