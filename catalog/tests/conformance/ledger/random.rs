//! Random groups against a small model of protocol.md 3 to 5: attempts that die before their commit, race for keys,
//! come late or overlap, with settling in between. What the store shows is what the model shows, attempts are never
//! torn, a key never counts twice, and store and events agree.

use std::collections::{BTreeMap, BTreeSet};

use changtong_catalog::clock::Ids;
use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::{BatchId, Generation};
use changtong_catalog::ports::{Attempt, DeadRuns, Group};
use changtong_catalog::store::{FirstKept, Mismatch, Store};
use changtong_catalog::visibility::Run;

use super::world::{World, code, run, world};

const ROUNDS: usize = 60;

/// What the model knows of one partition: who owns which offset, how far all is final, what is dead.
#[derive(Default)]
struct Part {
    end: i64,
    settled: i64,
    committed: BTreeSet<i64>,
    dead: BTreeSet<i64>,
}

impl Part {
    fn is_free(&self, offset: i64) -> bool {
        offset >= self.settled && !self.committed.contains(&offset) && !self.dead.contains(&offset)
    }

    fn stable_end(&self) -> i64 {
        (self.settled..).find(|offset| self.is_free(*offset)).unwrap_or(self.settled)
    }
}

struct Model {
    parts: [Part; 3],
    /// Key to hash and batch that counts.
    keys: BTreeMap<String, (u8, BatchId)>,
    random: Random,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn offsets(runs: &[Run]) -> impl Iterator<Item = (usize, i64)> + '_ {
    runs.iter().flat_map(|run| (run.first..=run.last).map(|at| (usize::try_from(run.partition).unwrap(), at)))
}

impl Model {
    /// Appends to the log: fresh offsets, now and then over somebody's (an answer with false offsets).
    fn append(&mut self) -> Vec<Run> {
        let mut runs = Vec::new();
        for partition in 0..3_usize {
            if self.random.below(3) == 0 {
                continue;
            }
            let back = if self.random.below(12) == 0 { 3 } else { 0 };
            let length = 1 + i64::try_from(self.random.below(4)).unwrap();
            let part = &mut self.parts[partition];
            let first = (part.end - back).max(0);
            part.end = part.end.max(first + length);
            runs.push(run(i32::try_from(partition).unwrap(), first, first + length - 1));
        }
        runs
    }

    fn bury(&mut self, runs: &[Run]) {
        for (part, offset) in offsets(runs) {
            if self.parts[part].is_free(offset) {
                self.parts[part].dead.insert(offset);
            }
        }
    }

    /// What must be answered: the batch that counts, or a code.
    fn judge(&mut self, attempt: &Attempt) -> Result<BatchId, Code> {
        let key = attempt.claim.as_ref().map(|claim| (claim.key.clone(), claim.hash[0]));
        if let Some((name, hash)) = &key
            && let Some((stored, batch)) = self.keys.get(name).copied()
        {
            self.bury(&attempt.runs);
            return if stored == *hash { Ok(batch) } else { Err(Code::IdempotencyKeyReused) };
        }
        if !offsets(&attempt.runs).all(|(part, offset)| self.parts[part].is_free(offset)) {
            self.bury(&attempt.runs);
            return Err(Code::AttemptTooLate);
        }
        for (part, offset) in offsets(&attempt.runs) {
            self.parts[part].committed.insert(offset);
        }
        if let Some((name, hash)) = key {
            self.keys.insert(name, (hash, attempt.batch));
        }
        Ok(attempt.batch)
    }

    fn settle(&mut self, noted: [i64; 3]) {
        for (part, noted) in self.parts.iter_mut().zip(noted) {
            for offset in part.settled..noted {
                if part.is_free(offset) {
                    part.dead.insert(offset);
                }
            }
            part.settled = part.stable_end();
        }
    }
}

fn some_attempt(world: &World, model: &mut Model) -> Attempt {
    let runs = model.append();
    match model.random.below(3) {
        0 => world.attempt(&runs),
        _ => {
            let key = format!("k{}", model.random.below(40));
            let hash = u8::from(model.random.below(8) == 0);
            world.claimed(&key, hash, &runs)
        }
    }
}

async fn one_round(world: &World, model: &mut Model, waiting: &mut Vec<Attempt>) {
    let mut group = Group::default();
    for _ in 0..model.random.below(7) {
        let attempt = some_attempt(world, model);
        match model.random.below(10) {
            // It dies before its commit; of some the offsets are recorded.
            0 => {}
            1 => group.dead.push(DeadRuns {
                resource: world.number(),
                generation: Generation(1),
                runs: attempt.runs,
            }),
            2 => waiting.push(attempt),
            _ => group.attempts.push(attempt),
        }
    }
    // One that was paused comes back, however late.
    if model.random.below(3) == 0 && !waiting.is_empty() {
        group.attempts.push(waiting.remove(0));
    }
    let answers = world.commit(Group {
        attempts: group.attempts.clone(),
        dead: group.dead.clone(),
        ..Group::default()
    });
    let answers = answers.await.attempts;
    for (attempt, answer) in group.attempts.iter().zip(&answers) {
        let expected = model.judge(attempt);
        match expected {
            Ok(batch) => {
                let receipt = answer.as_ref().unwrap();
                assert_eq!((receipt.batch, receipt.replayed), (batch, batch != attempt.batch));
            }
            Err(expected) => assert_eq!(code(answer), Some(expected)),
        }
    }
    group.dead.iter().for_each(|dead| model.bury(&dead.runs));
}

async fn check(world: &World, model: &Model) {
    for (part, view) in world.views().await.iter().enumerate() {
        let expected = &model.parts[part];
        assert_eq!(view.settled, expected.settled);
        assert_eq!(view.stable_end(), expected.stable_end());
        let seen: Vec<i64> = view.visible(0, i64::MAX).flatten().collect();
        let end = expected.stable_end();
        assert_eq!(seen, expected.committed.range(..end).copied().collect::<Vec<_>>());
    }
}

async fn the_store_does_what_the_model_does(store: &Store) {
    let world = world(store).await;
    let random = Random(u64::from(world.ids.uuid(crate::fixture::at(0)).as_fields().0));
    let mut model = Model { parts: Default::default(), keys: BTreeMap::new(), random };
    let mut waiting = Vec::new();
    for round in 0..ROUNDS {
        one_round(&world, &mut model, &mut waiting).await;
        if round % 4 == 3 {
            let noted = model.parts.each_ref().map(|part| (part.end - 6).max(0));
            world.settle(noted, [0; 3]).await;
            model.settle(noted);
        }
        check(&world, &model).await;
    }
    let noted = model.parts.each_ref().map(|part| part.end);
    world.settle(noted, [0; 3]).await;
    model.settle(noted);
    check(&world, &model).await;
    assert!(model.parts.iter().all(|part| part.stable_end() == part.end), "readers are never stuck");
    assert!(model.parts.iter().all(|part| part.committed.len() > 20 && part.dead.len() > 20));

    let reconciled = store.reconcile(&FirstKept::new()).await.unwrap();
    let offsets = |it: &&changtong_catalog::store::Difference| it.mismatch <= Mismatch::PublishedTwice;
    assert_eq!(reconciled.differences.iter().filter(offsets).count(), 0, "{:?}", reconciled.differences);
}

conformance!(the_store_does_what_the_model_does);
