//! What the events say became of every offset of a log: a publish made it count, or it was declared dead; never both,
//! and nothing lies between of which nobody says anything.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

/// Of each partition of each generation, the ranges of offsets that events name.
type Named = BTreeMap<[i64; 2], Vec<Range<i64>>>;

/// How many offsets below the last that counts events declare dead, and of how many no event says anything. Fails where
/// two events name one offset.
pub fn told(events: &str) -> Told {
    let (mut counting, mut dead) = (Named::new(), Named::new());
    for event in events.lines() {
        let event: Value = serde_json::from_str(event).expect("an event");
        let generation = event["generation"].as_i64().unwrap_or_default();
        match event["code"].as_str() {
            Some("publish") => {
                let batches = event["batches"].as_array().expect("batches");
                batches.iter().for_each(|batch| name(&mut counting, generation, &batch["runs"]));
            }
            Some("settled") => name(&mut dead, generation, &event["holes"]),
            _ => {}
        }
    }
    let mut told = Told::default();
    for (part, counting) in counting {
        let last = counting.iter().map(|run| run.end).max().expect("a run");
        let dead = dead.remove(&part).unwrap_or_default();
        told.dead += dead.iter().map(|hole| (hole.end.min(last) - hole.start).max(0)).sum::<i64>();
        let mut all = [counting, dead].concat();
        all.sort_unstable_by_key(|range| range.start);
        let mut known = 0;
        for range in all.into_iter().filter(|range| range.start < last) {
            assert!(range.start >= known, "{part:?}: two events name the offsets from {} on", range.start);
            told.unnamed.extend((known < range.start).then_some((part, known..range.start)));
            known = range.end;
        }
    }
    told
}

#[derive(Debug, Default)]
pub struct Told {
    pub dead: i64,
    /// Generation and partition, and the offsets.
    pub unnamed: Vec<([i64; 2], Range<i64>)>,
}

fn name(named: &mut Named, generation: i64, runs: &Value) {
    for run in runs.as_array().expect("runs") {
        let [part, first, last] = [0, 1, 2].map(|at| run[at].as_i64().expect("a number"));
        named.entry([generation, part]).or_default().push(first..last + 1);
    }
}
