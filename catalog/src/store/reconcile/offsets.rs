//! Sets of offsets of one partition as half-open ranges: pure.

use std::ops::Range;

/// Ranges in any order, kept small by joining them now and then.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    ranges: Vec<Range<i64>>,
    /// Ranges since the last joining.
    fresh: usize,
    /// Found twice while joining.
    pub(super) twice: Vec<Range<i64>>,
}

/// How many ranges may come before they are joined.
const JOIN_AFTER: usize = 4096;

impl Offsets {
    pub(super) fn add(&mut self, range: Range<i64>) {
        self.ranges.push(range);
        self.fresh += 1;
        if self.fresh >= JOIN_AFTER {
            self.join();
        }
    }

    /// In order and joined.
    pub(super) fn join(&mut self) -> &[Range<i64>] {
        self.fresh = 0;
        self.ranges.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<i64>> = Vec::with_capacity(self.ranges.len());
        for range in self.ranges.drain(..) {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => {
                    if range.start < last.end {
                        self.twice.push(range.start..range.end.min(last.end));
                    }
                    last.end = last.end.max(range.end);
                }
                _ => joined.push(range),
            }
        }
        self.ranges = joined;
        &self.ranges
    }
}

/// The offsets of `these` that are not among `those`; both in order and joined.
pub(super) fn without(these: &[Range<i64>], those: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut left = Vec::new();
    for this in these {
        let mut at = this.start;
        let first = those.partition_point(|that| that.end <= this.start);
        for that in those[first..].iter().take_while(|that| that.start < this.end) {
            if at < that.start {
                left.push(at..that.start);
            }
            at = at.max(that.end);
        }
        if at < this.end {
            left.push(at..this.end);
        }
    }
    left
}

/// What lies at or above `first`.
pub(super) fn from(first: i64, ranges: &[Range<i64>]) -> Vec<Range<i64>> {
    let cut = ranges.iter().map(|range| range.start.max(first)..range.end);
    cut.filter(|range| range.start < range.end).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(parts: &[(i64, i64)]) -> (Offsets, Vec<i64>) {
        let (mut offsets, mut plain) = (Offsets::default(), Vec::new());
        for (start, length) in parts {
            offsets.add(*start..start + length);
            plain.extend(*start..start + length);
        }
        (offsets, plain)
    }

    proptest! {
        #[test]
        fn ranges_are_sets(
            these in prop::collection::vec((0i64..60, 1i64..8), 0..8),
            those in prop::collection::vec((0i64..60, 1i64..8), 0..8),
            first in 0i64..70,
        ) {
            let ((mut a, plain_a), (mut b, plain_b)) = (of(&these), of(&those));
            let left: Vec<i64> = without(a.join(), b.join()).into_iter().flatten().collect();
            let mut expected: Vec<i64> =
                plain_a.iter().filter(|offset| !plain_b.contains(offset)).copied().collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(left, expected);
            let distinct: std::collections::BTreeSet<i64> = plain_a.iter().copied().collect();
            prop_assert_eq!(a.twice.is_empty(), distinct.len() == plain_a.len());
            let cut: Vec<i64> = from(first, a.join()).into_iter().flatten().collect();
            let kept: Vec<i64> = distinct.into_iter().filter(|offset| *offset >= first).collect();
            prop_assert_eq!(cut, kept);
        }
    }
}
