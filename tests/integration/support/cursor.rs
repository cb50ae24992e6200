//! What a cursor holds, for tests that compare it with what arrived; to a client it is opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Next offset of every partition.
#[track_caller]
pub fn offsets_of(cursor: &Value) -> Vec<i64> {
    let text = cursor.as_str().expect("a cursor");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    // Version, subscription and view before; the seal behind.
    let mut rest = &bytes[25..bytes.len() - 16];
    let mut varint = || {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, after) = rest.split_first().expect("a whole cursor");
            rest = after;
            value |= i64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    };
    let _seek_count = varint();
    (0..varint()).map(|_| varint()).collect()
}

/// Partition and offset of a delivered line.
#[track_caller]
pub fn place_of(line: &Value) -> (usize, i64) {
    let id = line["id"].as_str().expect("an id");
    let mut numbers = id.split('.').map(|number| number.parse::<i64>().expect("a number")).skip(1);
    let partition = numbers.next().and_then(|partition| usize::try_from(partition).ok());
    (partition.expect("a partition"), numbers.next().expect("an offset"))
}
