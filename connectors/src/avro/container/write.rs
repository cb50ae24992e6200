//! Our own files: a head and, behind it, blocks without compression (HTTP's content coding does that).

use super::super::binary::{put_bytes, put_long};
use super::file::{MAGIC, SYNC};

/// The marker of files that hold one record and are written by nobody else.
pub(super) const NO_MARKER: [u8; SYNC] = *b"changtong record";

/// The head of a file of the schema; `marker` stands behind each block.
#[must_use]
pub fn head(schema: &[u8], marker: [u8; SYNC]) -> Vec<u8> {
    let mut head = Vec::with_capacity(schema.len() + 64);
    head.extend_from_slice(MAGIC);
    put_long(2, &mut head);
    put_bytes(b"avro.codec", &mut head);
    put_bytes(b"null", &mut head);
    put_bytes(b"avro.schema", &mut head);
    put_bytes(schema, &mut head);
    put_long(0, &mut head);
    head.extend_from_slice(&marker);
    head
}

/// A block of so many records, as encoded one behind the other.
pub fn put_block(records: u64, data: &[u8], marker: [u8; SYNC], out: &mut Vec<u8>) {
    put_long(i64::try_from(records).unwrap_or(i64::MAX), out);
    put_bytes(data, out);
    out.extend_from_slice(&marker);
}

/// One record set aside, as a file of its own.
pub fn alone(head: &[u8], record: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(head);
    put_block(1, record, NO_MARKER, out);
}
