//! The bytes of one stored row: records one after another, each key and value behind its length plus one (0: none)
//! as a LEB128 number.

use bytes::{Buf, Bytes};

use crate::log::Entry;

/// A row is cut after this many bytes, so that reading one record never loads a whole large batch.
const CUT: usize = 128 * 1024;

/// Consecutive records of one partition, as they are stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub partition: i32,
    pub count: i64,
    pub bytes: Vec<u8>,
}

/// Rows of all entries: per partition in entry order.
pub(super) fn rows(entries: &[Entry], partitions: usize) -> Vec<Row> {
    let mut open: Vec<Option<Row>> = (0..partitions).map(|_| None).collect();
    let mut closed = Vec::new();
    for entry in entries {
        let Some(slot) = usize::try_from(entry.partition).ok().and_then(|p| open.get_mut(p)) else {
            continue;
        };
        let row = slot.get_or_insert_with(|| Row { partition: entry.partition, count: 0, bytes: Vec::new() });
        put(&mut row.bytes, entry.key.as_deref());
        put(&mut row.bytes, entry.value.as_deref());
        row.count += 1;
        if row.bytes.len() >= CUT {
            closed.extend(slot.take());
        }
    }
    closed.extend(open.into_iter().flatten());
    closed
}

fn put(out: &mut Vec<u8>, field: Option<&[u8]>) {
    let mut rest = field.map_or(0, |bytes| bytes.len() as u64 + 1);
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(field.unwrap_or_default());
}

/// Key and value of a record.
pub(super) type Fields = (Option<Bytes>, Option<Bytes>);

/// Takes the next record off the front; `None` if the bytes are not what `rows` makes.
pub(super) fn next(bytes: &mut Bytes) -> Option<Fields> {
    Some((take(bytes)?, take(bytes)?))
}

fn take(bytes: &mut Bytes) -> Option<Option<Bytes>> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        if !bytes.has_remaining() {
            return None;
        }
        let byte = bytes.get_u8();
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let Some(length) = number.checked_sub(1) else { return Some(None) };
            let length = usize::try_from(length).ok()?;
            return (length <= bytes.len()).then(|| Some(bytes.split_to(length)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let field = || proptest::option::of(prop_oneof![9 => 0_usize..200, 1 => 100_000_usize..140_000]);
        (0..3, field(), field()).prop_map(|(partition, key, value)| Entry {
            partition,
            key: key.map(|n| Bytes::from(vec![7; n])),
            value: value.map(|n| Bytes::from(vec![9; n])),
        })
    }

    proptest! {
        #[test]
        fn rows_give_back_the_entries_of_each_partition(entries in proptest::collection::vec(entry(), 0..40)) {
            let rows = rows(&entries, 3);
            for partition in 0..3 {
                let mut read = Vec::new();
                for row in rows.iter().filter(|row| row.partition == partition) {
                    let mut bytes = Bytes::from(row.bytes.clone());
                    for _ in 0..row.count {
                        read.push(next(&mut bytes).unwrap());
                    }
                    prop_assert!(bytes.is_empty());
                }
                let put: Vec<_> = entries.iter().filter(|e| e.partition == partition)
                    .map(|e| (e.key.clone(), e.value.clone())).collect();
                prop_assert_eq!(read, put);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = Bytes::from(bytes);
            while next(&mut bytes).is_some() {}
        }
    }
}
