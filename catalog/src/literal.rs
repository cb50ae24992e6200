//! Texts of dates, timestamps and decimals as they come in (interface.md 5), to the numbers that Avro keeps. One
//! reading for filters, JSON, CSV and files.

use chrono::{DateTime, NaiveDate};

/// The most digits a decimal may have.
pub const MOST_DIGITS: u32 = 38;

/// `YYYY-MM-DD` to days since 1970-01-01.
#[must_use]
pub fn date(text: &str) -> Option<i32> {
    if !shaped(text.as_bytes(), b"0000-00-00") {
        return None;
    }
    let day: NaiveDate = text.parse().ok()?;
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// RFC 3339 with an offset and at most three decimals of a second to milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn timestamp_millis(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (start, rest) = bytes.split_at_checked(19)?;
    if !shaped(start, b"0000-00-00T00:00:00") || &start[17..] == b"60" {
        return None;
    }
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            (1..=3).contains(&digits).then(|| &fraction[digits..])?
        }
        None => rest,
    };
    let zoned = zone == b"Z" || shaped(zone, b"+00:00") || shaped(zone, b"-00:00");
    if !zoned {
        return None;
    }
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

/// A plain decimal number (`-12.50`; no exponent) to its unscaled value and scale, digits behind the point as written.
#[must_use]
pub fn decimal(text: &str) -> Option<(i128, u32)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (unsigned, ""),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let scale = u32::try_from(fraction.len()).ok()?;
    if whole.len() + fraction.len() > MOST_DIGITS as usize {
        return None;
    }
    let magnitude = whole.bytes().chain(fraction.bytes()).fold(0_i128, |n, b| n * 10 + i128::from(b - b'0'));
    Some((if unsigned.len() < text.len() { -magnitude } else { magnitude }, scale))
}

/// The same number at another scale, if nothing is lost and it has at most `precision` digits there.
#[must_use]
pub fn rescale((unscaled, from): (i128, u32), precision: u32, scale: u32) -> Option<i128> {
    let value = if scale >= from {
        unscaled.checked_mul(10_i128.checked_pow(scale - from)?)?
    } else {
        let power = 10_i128.checked_pow(from - scale)?;
        (unscaled % power == 0).then_some(unscaled / power)?
    };
    let limit = 10_u128.checked_pow(precision.min(MOST_DIGITS))?;
    (value.unsigned_abs() < limit).then_some(value)
}

/// Whether `text` has the shape: `0` stands for any digit, every other byte for itself.
fn shaped(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == s })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2013-01-31"), Some(15_736));
        assert_eq!(date("1969-12-31"), Some(-1));
        for bad in ["2013-1-31", "2013-02-29", "13-01-31", "2013-01-31 ", "+2013-01-31", "2013/01/31", ""] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn timestamps() {
        assert_eq!(timestamp_millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(timestamp_millis("1970-01-01T08:00:00.5+08:00"), Some(500));
        assert_eq!(timestamp_millis("1969-12-31T23:59:59.999Z"), Some(-1));
        assert_eq!(timestamp_millis("2013-01-01T05:00:00-05:00"), Some(1_357_034_400_000));
        let bad = [
            "2013-01-01T05:00:00",
            "2013-01-01 05:00:00Z",
            "2013-01-01T05:00:00z",
            "2013-01-01T05:00:00.1234Z",
            "2013-01-01T05:00:00.Z",
            "2013-01-01T05:00:60Z",
            "2013-01-01T24:00:00Z",
            "2013-01-01T05:00:00+0800",
            "2013-01-01",
            "二〇一三年一月一日上午",
        ];
        for bad in bad {
            assert_eq!(timestamp_millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal("12.50"), Some((1_250, 2)));
        assert_eq!(decimal("-0.05"), Some((-5, 2)));
        assert_eq!(decimal("007"), Some((7, 0)));
        assert_eq!(decimal(&"9".repeat(38)), Some((10_i128.pow(38) - 1, 0)));
        for bad in ["", "-", "1.", ".5", "1e3", "+1", "1,000", " 1", "0x1", "١", &"1".repeat(39)] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(rescale((1_250, 2), 5, 1), Some(125));
        assert_eq!(rescale((1_255, 2), 5, 1), None);
        assert_eq!(rescale((12, 0), 4, 2), Some(1_200));
        assert_eq!(rescale((123, 0), 4, 2), None);
        assert_eq!(rescale((i128::MAX, 0), 38, 2), None);
    }

    proptest! {
        #[test]
        fn decimals_come_back(unscaled in -10_i128.pow(37)..10_i128.pow(37), scale in 0..30_usize) {
            let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let sign = if unscaled < 0 { "-" } else { "" };
            let text = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
            prop_assert_eq!(decimal(&text), Some((unscaled, scale as u32)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = (date(&text), timestamp_millis(&text), decimal(&text));
        }
    }
}
