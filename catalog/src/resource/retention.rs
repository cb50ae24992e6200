//! How long records are kept: `forever`, or for a stream a duration (`90d`, `12h`, ISO 8601 such as `P90D`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Code, Refusal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    Forever,
    For(Duration),
}

/// A century: longer means `forever`.
const LONGEST: u64 = 36_500 * 86_400;

impl Retention {
    /// Milliseconds as Kafka's `retention.ms` counts them: −1 is forever.
    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            Self::Forever => -1,
            Self::For(duration) => i64::try_from(duration.as_millis()).unwrap_or(-1),
        }
    }
}

impl FromStr for Retention {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let seconds = text.strip_prefix('P').map_or_else(|| short(text), iso).unwrap_or(0);
        if (1..=LONGEST).contains(&seconds) {
            return Ok(Self::For(Duration::from_secs(seconds)));
        }
        Err(Refusal::new(
            Code::Invalid,
            "保存期限应为 forever,或 90d、12h、P90D 这样的时长(最长 36500d)",
            "retention is forever or a duration such as 90d, 12h or P90D (at most 36500d)",
        ))
    }
}

/// The shortest spelling that reads back as the same.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(duration) = self else { return f.write_str("forever") };
        let seconds = duration.as_secs();
        match seconds {
            s if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s => write!(f, "PT{s}S"),
        }
    }
}

fn short(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        'd' => 86_400,
        'h' => 3600,
        _ => return None,
    };
    number(&text[..text.len() - 1])?.checked_mul(unit)
}

/// `nW`, or `[nD][T[nH][nM][nS]]`. Years and months are refused: they have no fixed length.
fn iso(text: &str) -> Option<u64> {
    if let Some(weeks) = text.strip_suffix('W') {
        return number(weeks)?.checked_mul(7 * 86_400);
    }
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    let mut total = units(days, &[('D', 86_400)])?;
    total = total.checked_add(units(time, &[('H', 3600), ('M', 60), ('S', 1)])?)?;
    Some(total)
}

/// Numbers each followed by one of the units, in the order of the units.
fn units(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for (unit, seconds) in units {
        if let Some((count, rest)) = text.split_once(*unit) {
            total = total.checked_add(number(count)?.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        match text.parse().ok()? {
            Retention::Forever => panic!("{text} is a duration"),
            Retention::For(duration) => Some(duration.as_secs()),
        }
    }

    #[test]
    fn durations_are_read_in_both_spellings() {
        assert_eq!("forever".parse::<Retention>().unwrap(), Retention::Forever);
        let vectors = [
            ("90d", 90 * 86_400),
            ("12h", 43_200),
            ("P90D", 90 * 86_400),
            ("PT12H", 43_200),
            ("P1DT1H1M1S", 86_400 + 3661),
            ("P2W", 14 * 86_400),
            ("PT30M", 1800),
            ("36500d", LONGEST),
        ];
        for (text, expected) in vectors {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        let wrong = [
            "",
            "0d",
            "d",
            "-1d",
            "1.5d",
            "1y",
            "P",
            "PT",
            "P1Y",
            "P1M",
            "P1DT",
            "PT1S1H",
            "1 d",
            "36501d",
            "99999999999999999999d",
            "P1D1D",
            "永久",
            "9天",
        ];
        for text in wrong {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

    #[test]
    fn kafka_counts_milliseconds() {
        assert_eq!(Retention::Forever.millis(), -1);
        assert_eq!("1h".parse::<Retention>().unwrap().millis(), 3_600_000);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(seconds in 1..=LONGEST) {
            let retention = Retention::For(Duration::from_secs(seconds));
            prop_assert_eq!(retention.to_string().parse::<Retention>().unwrap(), retention);
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            let _ = text.parse::<Retention>();
        }
    }
}
