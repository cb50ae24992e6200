//! Any history of appends, reads, forgetting and restarts gives what a `Vec` per partition would.

use bytes::Bytes;
use changtong_catalog::error::Code;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::{Engine, HOUR, append, range, steward, topic_of};
use crate::log::{Entry, Extent, Range, TopicSpec, expired_firsts};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Entry>),
    /// Per partition where to begin, in thousandths of its extent, and how many records at most.
    Read([i64; 3], usize, usize),
    Forget,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let field = || proptest::option::weighted(0.9, vec(any::<u8>(), 0..300).prop_map(Bytes::from));
    let entry = (0..3, field(), field()).prop_map(|(partition, key, value)| Entry { partition, key, value });
    let step = prop_oneof![
        8 => vec(entry, 1..80).prop_map(Step::Append),
        8 => (any::<[u16; 3]>(), 1_usize..200, 1_usize..20_000)
            .prop_map(|(at, most, bytes)| Step::Read(at.map(|n| i64::from(n) % 1100), most, bytes)),
        1 => Just(Step::Forget),
        1 => Just(Step::Restart),
    ];
    vec(step, 1..40)
}

/// Everything ever appended to a partition, and how much of it is forgotten.
#[derive(Debug, Default, Clone)]
struct Partition {
    entries: Vec<Entry>,
    first: i64,
}

pub(crate) async fn any_history_equals_the_model<E: Engine>(mut engine: E) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    for case in 0..E::CASES {
        let history = steps().new_tree(&mut runner).unwrap().current();
        let name = topic_of(&engine, i64::from(case) + 1);
        let spec = TopicSpec { name: name.clone(), partitions: 3, retention: Some(HOUR) };
        engine.log().make_topic(&spec, false).await.unwrap();
        let mut model = vec![Partition::default(); 3];
        for step in &history {
            match step {
                Step::Append(entries) => {
                    let offsets = append(&*engine.log(), &name, entries.clone()).await.unwrap();
                    for (entry, offset) in entries.iter().zip(offsets) {
                        let partition = &mut model[entry.partition as usize];
                        assert_eq!(offset, partition.entries.len() as i64, "case {case}");
                        partition.entries.push(entry.clone());
                    }
                }
                Step::Read(at, most, bytes) => read(&engine, &name, &model, (*at, *most, *bytes), case).await,
                Step::Forget => {
                    engine.forget(&name).await;
                    model.iter_mut().for_each(|p| p.first = p.entries.len() as i64);
                }
                Step::Restart => engine.restart().await,
            }
            let extents = engine.log().extents(std::slice::from_ref(&name)).await.unwrap();
            let expected = model.iter().map(|p| Extent { first: p.first, end: p.entries.len() as i64 });
            assert_eq!(extents[&name], expected.collect::<Vec<_>>(), "case {case}");
        }
    }
    engine.stop().await;
}

async fn read<E: Engine>(
    engine: &E,
    name: &changtong_catalog::ids::TopicName,
    model: &[Partition],
    (at, most, bytes): ([i64; 3], usize, usize),
    case: u32,
) {
    let begin = |i: usize| (at[i] * model[i].entries.len() as i64 / 1000).min(model[i].entries.len() as i64);
    let ranges: Vec<Range> =
        (0..3).map(|i| range(i as i32, begin(i), model[i].entries.len() as i64)).collect();
    let expired: Vec<_> =
        (0..3).filter(|i| begin(*i) < model[*i].first).map(|i| (i as i32, model[i].first)).collect();
    let answer = engine.log().read(steward(name, most), &ranges, bytes).await;
    if !expired.is_empty() {
        let refusal = answer.unwrap_err();
        assert_eq!((refusal.code, expired_firsts(&refusal)), (Code::PositionExpired, expired), "case {case}");
        return;
    }
    let read = answer.unwrap();
    let holds = ranges.iter().any(|range| range.from < range.to);
    assert!(read.len() <= most && (!read.is_empty() || !holds), "case {case}");
    let mut next: Vec<i64> = ranges.iter().map(|range| range.from).collect();
    for record in read {
        let partition = record.partition as usize;
        let entry = &model[partition].entries[record.offset as usize];
        assert_eq!(record.offset, next[partition], "case {case}");
        assert_eq!((&record.key, &record.value), (&entry.key, &entry.value), "case {case}");
        next[partition] += 1;
    }
}
