//! Looks for the fewest columns that tell all rows apart.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Columns of a key at most; more would be a row's whole content.
const MOST_COLUMNS: usize = 5;
/// Sets of columns tried of one size.
const MOST_TRIES: usize = 400;

pub(super) fn hash(value: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The rows seen, as hashes of their values.
#[derive(Debug, Default)]
pub(super) struct Search {
    rows: Vec<Vec<u64>>,
}

impl Search {
    pub fn row(&mut self, mut hashes: Vec<u64>) {
        hashes.shrink_to_fit();
        self.rows.push(hashes);
    }

    /// Indexes of the columns, smallest set first, columns further left preferred.
    pub fn fewest(&self, may: &[bool]) -> Vec<usize> {
        let candidates: Vec<usize> = (0..may.len()).filter(|at| may[*at]).collect();
        for size in 1..=MOST_COLUMNS.min(candidates.len()) {
            let mut tries = 0;
            let mut chosen: Vec<usize> = (0..size).collect();
            loop {
                let columns: Vec<usize> = chosen.iter().map(|at| candidates[*at]).collect();
                if self.unique(&columns) {
                    return columns;
                }
                tries += 1;
                if tries >= MOST_TRIES || !next(&mut chosen, candidates.len()) {
                    break;
                }
            }
        }
        Vec::new()
    }

    fn unique(&self, columns: &[usize]) -> bool {
        let mut seen = HashSet::with_capacity(self.rows.len());
        self.rows.iter().all(|row| {
            let mut hasher = DefaultHasher::new();
            columns.iter().for_each(|at| row.get(*at).hash(&mut hasher));
            seen.insert(hasher.finish())
        })
    }
}

/// The next combination in lexicographic order.
fn next(chosen: &mut [usize], of: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|at| chosen[*at] < of - size + at) else { return false };
    chosen[at] += 1;
    for later in at + 1..size {
        chosen[later] = chosen[later - 1] + 1;
    }
    true
}
