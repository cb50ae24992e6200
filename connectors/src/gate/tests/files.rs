//! An answer as a container file: whole before its headers, then out piece by piece in its window.

use std::time::Duration;

use apache_avro::Reader;
use apache_avro::types::Value;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::GrantId;
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{CloseReason, Ended};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::world::{SUBSCRIPTION, World, caller, code, whole as whole_answer};
use crate::gate::{File, Poll};

const GRANT: Ended = Ended::Grant(GrantId(Uuid::from_u128(4)));

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn world() -> World {
    World::with(|settings, _| settings.window = LONG)
}

/// The file's bytes, in writes of a size that may be.
async fn whole(file: &mut File) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = file.next_piece().await {
        let piece = piece?;
        assert!(piece.len() <= 64 << 10, "writes of at most 64 KiB");
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len() as u64, file.length);
    Ok(bytes)
}

/// The ids of a file's records.
fn ids(file: &[u8]) -> Vec<String> {
    let id = |record: Value| {
        let Value::Record(fields) = record else { panic!("{record:?} is no record") };
        let Value::String(id) = &fields[0].1 else { panic!("{fields:?} has no id first") };
        id.clone()
    };
    Reader::new(file).unwrap().map(|record| id(record.unwrap())).collect()
}

/// As HTTP does, which asks for nothing behind the length that it was told.
#[tokio::test]
async fn who_reads_a_file_to_its_length_goes_on_in_its_window() {
    let world = world();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut windows = Vec::new();
    let mut next = None;
    for _ in 0..3 {
        let poll = Poll { limit: Some(1000), ..world.poll(next.as_deref()) };
        let mut file = world.gate.deliver_file(poll).await.unwrap();
        let mut read = 0;
        while read < file.length {
            read += file.next_piece().await.unwrap().unwrap().len() as u64;
        }
        windows.extend(file.window);
        next = Some(file.next.clone());
    }
    assert_eq!(windows, [windows[0]; 3]);
}

#[tokio::test]
async fn a_file_says_what_the_lines_say_and_the_digest_covers_it() {
    let world = world();
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let another = Poll { caller: caller(2, 22, "another"), ..world.poll(None) };
    let lines = whole_answer(world.gate.deliver(another).await.unwrap()).await.unwrap();
    let mut file = world.gate.deliver_file(world.poll(None)).await.unwrap();
    let (next, digest) = (file.next.clone(), file.digest.clone());
    assert!(file.window.is_some());
    let bytes = whole(&mut file).await.unwrap();
    // Nothing is promised across partitions.
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let told = lines.ids().into_iter().map(str::to_owned).collect();
    assert_eq!(sorted(ids(&bytes)), sorted(told));
    assert_eq!((next.as_str(), digest), (lines.next.as_str(), Some(hex(&Sha256::digest(&bytes)))));

    // The next call goes on in the same window, whose digest goes on too; nothing is there, so it has no record.
    world.rows(3000..3010).await.unwrap();
    let mut poll = world.poll(Some(&next));
    let mut second = world.gate.deliver_file(poll.clone()).await.unwrap();
    assert_eq!(second.window, file.window);
    let both = [bytes, whole(&mut second).await.unwrap()].concat();
    assert_eq!(second.digest, Some(hex(&Sha256::digest(&both))));
    poll.cursor = Some(second.next.clone());
    let mut empty = world.gate.deliver_file(poll).await.unwrap();
    assert_eq!((empty.window, empty.digest.as_ref(), &empty.next), (None, None, &second.next));
    assert_eq!(ids(&whole(&mut empty).await.unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_keeps_to_its_bytes_its_records_and_its_window() {
    let world = World::with(|settings, _| (settings.window_records, settings.window) = (700, LONG));
    world.rows(0..3000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let asked = |limit: Option<u64>, max_bytes: Option<u64>| Poll { limit, max_bytes, ..world.poll(None) };
    let mut few = world.gate.deliver_file(asked(Some(10), None)).await.unwrap();
    assert_eq!(ids(&whole(&mut few).await.unwrap()).len(), 10);
    for most in [2_000, 5_000, 20_000] {
        let mut small = world.gate.deliver_file(asked(None, Some(most))).await.unwrap();
        let bytes = whole(&mut small).await.unwrap();
        assert!(!ids(&bytes).is_empty() && bytes.len() as u64 <= most, "{} of {most}", bytes.len());
    }
    let mut window = world.gate.deliver_file(asked(None, None)).await.unwrap();
    assert_eq!(ids(&whole(&mut window).await.unwrap()).len(), 700, "as many as a window may let out");
}

#[tokio::test]
async fn an_end_resets_a_file_and_what_left_is_known() {
    let world = world();
    world.rows(0..4000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut file = world.gate.deliver_file(world.poll(None)).await.unwrap();
    let head = file.next_piece().await.unwrap().unwrap();
    let first = file.next_piece().await.unwrap().unwrap();
    world.revoke_in_store();
    let last_left = world.gate.end(&GRANT).await.unwrap();
    let next = world.gate.decode(&last_left[&SUBSCRIPTION]).unwrap().next;
    let mut behind = vec![0_i64; 3];
    for id in ids(&[head, first].concat()) {
        let mut id = id.split('.').skip(1).map(|n| n.parse::<i64>().unwrap());
        let (partition, offset) = (id.next().unwrap() as usize, id.next().unwrap());
        behind[partition] = behind[partition].max(offset + 1);
    }
    assert_eq!(next, behind);
    assert!(file.next_piece().await.unwrap().is_err(), "the connection is reset");
    assert!(file.next_piece().await.is_none());
    assert_eq!(code(world.gate.deliver_file(world.poll(None)).await.map(|_| ())), Code::GrantRevoked);
    assert_eq!(world.gate.windows.count(), 0);
}

#[tokio::test]
async fn a_reader_that_leaves_closes_the_files_window() {
    let world = world();
    world.rows(0..4000).await.unwrap();
    world.subscribe(SUBSCRIPTION);
    let mut file = world.gate.deliver_file(world.poll(None)).await.unwrap();
    file.next_piece().await.unwrap().unwrap();
    drop(file);
    world.gate.end(&GRANT).await.unwrap();
    let state = world.store.state.lock();
    let closing = state.windows.values().next().unwrap().1.clone().unwrap();
    assert_eq!((closing.reason, closing.sent), (CloseReason::Reader, 0), "the head holds no record");
}
