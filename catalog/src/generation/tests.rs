//! Whatever the append times, floors and partition counts: keys keep their order, nothing is lost, and a floor stays
//! where it was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{BatchId, Generation, ResourceNumber, TopicName};
use crate::ports::TopicEdges;
use crate::visibility::Run;

/// A record: its key, its append time.
type Record = (u8, i64);

fn topic(generation: i32, partitions: i32) -> Topic {
    let generation = Generation(generation);
    let name = TopicName::records("", ResourceNumber(1), generation);
    Topic { name, resource: ResourceNumber(1), generation, partitions, made: true }
}

/// The first record of each partition that was appended then or later.
fn at(log: &[Vec<Record>], time: i64) -> Vec<i64> {
    let first = |part: &Vec<Record>| part.iter().position(|(_, at)| *at >= time).unwrap_or(part.len());
    log.iter().map(|part| i64::try_from(first(part)).unwrap()).collect()
}

/// New partitions with, of each record, the old partition and offset.
fn merged(log: &[Vec<Record>], merge: &mut Merge, partitions: usize) -> Vec<Vec<(usize, i64)>> {
    let mut new: Vec<Vec<(usize, i64)>> = vec![Vec::new(); partitions];
    let mut heads = BinaryHeap::new();
    let push = |heads: &mut BinaryHeap<_>, merge: &mut Merge, part: usize, offset: usize| {
        if let Some((_, time)) = log[part].get(offset) {
            let turn = merge.turn(part, i64::try_from(offset).unwrap(), *time);
            heads.push(Reverse((turn, part, offset)));
        }
    };
    (0..log.len()).for_each(|part| push(&mut heads, merge, part, 0));
    while let Some(Reverse((_, part, offset))) = heads.pop() {
        let from = (part, i64::try_from(offset).unwrap());
        let to = usize::from(log[part][offset].0) % partitions;
        merge.copied(from, (to, i64::try_from(new[to].len()).unwrap()));
        new[to].push(from);
        push(&mut heads, merge, part, offset + 1);
    }
    new
}

/// Partitions by key, with append times that now and then go back.
fn logs() -> impl Strategy<Value = Vec<Vec<Record>>> {
    let records = prop::collection::vec((any::<u8>(), 0i64..40), 0..60);
    (1usize..4, records).prop_map(|(partitions, records)| {
        let mut log = vec![Vec::new(); partitions];
        for (key, time) in records {
            log[usize::from(key) % partitions].push((key, time));
        }
        log
    })
}

proptest! {
    #[test]
    fn keys_keep_their_order_and_time_floors_cut_cleanly(
        log in logs(),
        times in prop::collection::vec(0i64..45, 0..5),
        partitions in 1usize..5,
    ) {
        let floors: Vec<Vec<i64>> = times.iter().map(|time| at(&log, *time)).collect();
        let mut merge = Merge::new(log.len(), &floors);
        let new = merged(&log, &mut merge, partitions);
        prop_assert_eq!(new.iter().map(Vec::len).sum::<usize>(), log.iter().map(Vec::len).sum::<usize>());
        for part in &new {
            for (old, _) in log.iter().enumerate() {
                let of: Vec<i64> = part.iter().filter(|(from, _)| *from == old).map(|(_, at)| *at).collect();
                prop_assert!(of.is_sorted(), "keys of one old partition keep their order");
            }
        }
        for floor in &floors {
            let moved = merge.floor(floor, partitions);
            for (part, at) in new.iter().zip(&moved) {
                for (place, (old, offset)) in part.iter().enumerate() {
                    let before = *offset < floor[*old];
                    prop_assert_eq!(i64::try_from(place).unwrap() < *at, before, "{:?} {:?}", floor, moved);
                }
            }
        }
    }

    /// Stored offsets that no append time of this generation explains, as long as they were passed one after another.
    #[test]
    fn stored_floors_cut_cleanly_too(
        log in logs(),
        steps in prop::collection::vec(prop::collection::vec(0i64..8, 3), 0..4),
        partitions in 1usize..5,
    ) {
        let mut floors = Vec::new();
        let mut floor = vec![0; log.len()];
        for step in &steps {
            floor.iter_mut().zip(step).for_each(|(at, more)| *at += more);
            floors.push(floor.clone());
        }
        let mut merge = Merge::new(log.len(), &floors);
        let new = merged(&log, &mut merge, partitions);
        for floor in &floors {
            let moved = merge.floor(floor, partitions);
            for (part, at) in new.iter().zip(&moved) {
                for (place, (old, offset)) in part.iter().enumerate() {
                    prop_assert_eq!(i64::try_from(place).unwrap() < *at, *offset < floor[*old]);
                }
            }
        }
    }

    /// Floors that cross each other cannot all be kept: none then shows a record from before it.
    #[test]
    fn no_floor_ever_shows_what_lies_before_it(
        log in logs(),
        floors in prop::collection::vec(prop::collection::vec(0i64..20, 3), 0..4),
        partitions in 1usize..5,
    ) {
        let mut merge = Merge::new(log.len(), &floors);
        let new = merged(&log, &mut merge, partitions);
        for floor in &floors {
            let moved = merge.floor(floor, partitions);
            for (part, at) in new.iter().zip(&moved) {
                let shown = &part[usize::try_from(*at).unwrap()..];
                prop_assert!(shown.iter().all(|(old, offset)| *offset >= floor[*old]));
            }
        }
    }
}

#[test]
fn records_of_one_time_go_by_partition_and_a_step_back_waits_for_the_largest() {
    let log = vec![vec![(0, 5), (0, 3), (0, 9)], vec![(1, 5), (1, 8)]];
    let mut merge = Merge::new(2, &[]);
    let new = merged(&log, &mut merge, 1);
    // The second record of partition 0 stands by the 5 before it, not by its own 3.
    assert_eq!(new[0], [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2)]);
}

fn copied() -> Copied {
    let run = |partition, first, last| Run { partition, first, last };
    let batch = |id: u128, runs: Vec<Run>| CopiedBatch {
        schema: SchemaId(7),
        fingerprint: "0".repeat(64),
        batch: Batch { id: BatchId(Uuid::from_u128(id)), n: 0, runs },
    };
    Copied {
        from: topic(1, 1),
        to: topic(2, 3),
        began: "2026-06-01T00:00:00Z".parse().unwrap(),
        first_kept: vec![0],
        seen: vec![vec![0..9]],
        ends: vec![9],
        begins: vec![8, 4, 0],
        batches: vec![batch(1, vec![run(0, 3, 4), run(1, 0, 1)]), batch(2, vec![run(0, 5, 7), run(1, 3, 3)])],
        floors: BTreeMap::new(),
        records: 9,
        strange: 0,
        lost: Vec::new(),
    }
}

#[test]
fn only_what_the_batches_hold_counts_in_the_new_topic() {
    let views = copied().views();
    let visible = |view: &PartitionView| view.visible(0, 100).flatten().collect::<Vec<_>>();
    assert_eq!(visible(&views[0]), [3, 4, 5, 6, 7], "what an earlier copy left before it is dead");
    assert_eq!(visible(&views[1]), [0, 1, 3]);
    assert!(visible(&views[2]).is_empty());
    assert_eq!(views.iter().map(|view| view.settled).collect::<Vec<_>>(), [8, 4, 0]);
}

#[test]
fn a_grant_made_during_the_copy_gets_the_floor_that_is_sure() {
    let copied = copied();
    assert_eq!(copied.late_floor(None), Some(vec![0, 0, 0]), "all history");
    assert_eq!(copied.late_floor(Some("2026-06-01T00:00:01Z".parse().unwrap())), Some(vec![8, 4, 0]));
    assert_eq!(copied.late_floor(Some("2026-05-01T00:00:00Z".parse().unwrap())), None);
}

#[test]
fn what_was_lost_is_kept_in_order_and_joined() {
    let mut lost = Lost::default();
    for (partition, first, last) in [(1, 4, 4), (0, 2, 2), (1, 5, 5), (0, 7, 9), (0, 3, 3)] {
        lost.add(Run { partition, first, last });
    }
    let run = |partition, first, last| Run { partition, first, last };
    assert_eq!(lost.runs(), [run(0, 2, 3), run(0, 7, 9), run(1, 4, 5)]);
}

#[test]
fn a_half_made_copy_is_gone_on_with_if_its_shape_is_the_wanted_one() {
    let edges = |generation, partitions| TopicEdges {
        topic: topic(generation, partitions),
        begins: Vec::new(),
        ends: None,
        ended_at: None,
        lost: Vec::new(),
    };
    assert_eq!(into(&[edges(1, 3)], Generation(1), 3), Generation(2));
    assert_eq!(into(&[edges(1, 3), edges(2, 3)], Generation(1), 3), Generation(2));
    assert_eq!(into(&[edges(1, 3), edges(2, 3)], Generation(1), 6), Generation(3));
    let forgotten = TopicEdges { ends: Some(Vec::new()), ..edges(2, 3) };
    assert_eq!(into(&[edges(1, 3), forgotten], Generation(1), 3), Generation(3));
    assert_eq!(into(&[edges(1, 3), edges(2, 3), edges(3, 6)], Generation(3), 6), Generation(4));
    assert!(check_partitions(0).is_err() && check_partitions(1).is_ok() && check_partitions(65).is_err());
}

#[test]
fn a_record_that_was_appended_after_its_publish_is_another() {
    let at = |text: &str| text.parse::<Time>().unwrap();
    let run = |partition, first, last| Run { partition, first, last };
    let published =
        [(run(0, 10, 19), at("2026-06-01T00:01:00Z")), (run(0, 0, 9), at("2026-06-01T00:00:00Z"))];
    let witness = Witness::new(2, published);
    let ms = |text: &str| at(text).timestamp_millis();
    assert!(witness.knows(0, 9, ms("2026-05-31T23:59:59Z")));
    assert!(witness.knows(0, 9, ms("2026-06-01T00:00:04Z")), "clocks may lie a little apart");
    assert!(!witness.knows(0, 9, ms("2026-06-01T00:00:06Z")), "a topic made anew holds another there");
    assert!(witness.knows(0, 10, ms("2026-06-01T00:00:06Z")));
    assert!(!witness.knows(0, 20, 0) && !witness.knows(1, 0, 0) && !witness.knows(2, 0, 0), "of no publish");
}
