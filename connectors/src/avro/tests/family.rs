//! Families of cases without end: schemas and records that follow from one seed. Each family tells that seed and how many
//! cases were held against the oracle, whether it passes or not, and fails where they are fewer than it promises.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;

use super::made::Choices;

/// Set to the seed that a family told, it starts there again.
const SEED: &str = "CHANGTONG_TEST_SEED";

/// What a family has done so far; tells it in the end, by a panic too.
struct Told<'n> {
    name: &'n str,
    seed: u64,
    schemas: u64,
    cases: usize,
}

/// `schemas` times the cases that `one` holds against its oracle and counts: `cases` in all.
pub fn run(name: &str, schemas: u64, cases: usize, mut one: impl FnMut(&mut Choices, &mut usize)) {
    let seed = given().unwrap_or_else(|| RandomState::new().hash_one(name));
    let mut told = Told { name, seed, schemas: 0, cases: 0 };
    for n in 0..schemas {
        one(&mut Choices(seed.wrapping_add(n)), &mut told.cases);
        told.schemas += 1;
    }
    assert_eq!(told.cases, cases, "{name} held another number of cases than it promises");
}

#[expect(clippy::disallowed_methods, reason = "who repeats a failed run says where it began")]
fn given() -> Option<u64> {
    Some(std::env::var(SEED).ok()?.parse().expect(SEED))
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Self { name, seed, schemas, cases } = self;
        let failed = if std::thread::panicking() {
            format!("; the next failed: {SEED}={} begins with it", seed.wrapping_add(*schemas))
        } else {
            String::new()
        };
        let line = format!("differential: {name}: seed {seed}, {cases} cases of {schemas} schemas{failed}\n");
        // Past what the test runner keeps of a test that passes, and in one piece between what others say.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
