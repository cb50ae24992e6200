//! Texts of dates, timestamps and decimals as they come in (interface.md 5), to the numbers that Avro keeps. One
//! reading for filters, JSON, CSV and files.

use chrono::NaiveDate;

/// The most digits a decimal may have.
pub const MOST_DIGITS: u32 = 38;
/// Digits that a `u64` holds, whatever they are.
const FEW_DIGITS: usize = 19;
const DAY_MINUTES: i64 = 24 * 60;

/// Powers of ten.
const POWERS: [i128; MOST_DIGITS as usize + 1] = {
    let mut powers = [1; MOST_DIGITS as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `YYYY-MM-DD` to days since 1970-01-01.
#[must_use]
pub fn date(text: &str) -> Option<i32> {
    if !shaped(text.as_bytes(), b"0000-00-00") {
        return None;
    }
    i32::try_from(days(text.as_bytes())?).ok()
}

/// RFC 3339 with an offset and at most three decimals of a second to milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn timestamp_millis(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (start, rest) = bytes.split_at_checked(19)?;
    if !shaped(start, b"0000-00-00T00:00:00") {
        return None;
    }
    let (thousandths, zone) = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            let unit = *[100, 10, 1].get(digits.checked_sub(1)?)?;
            (i64::from(number(&fraction[..digits])) * unit, &fraction[digits..])
        }
        None => (0, rest),
    };
    let behind_utc = match zone {
        b"Z" => 0,
        zone if shaped(zone, b"+00:00") => -minutes(&zone[1..])?,
        zone if shaped(zone, b"-00:00") => minutes(&zone[1..])?,
        _ => return None,
    };
    let minutes = days(&start[..10])? * DAY_MINUTES + minutes(&start[11..16])? + behind_utc;
    let seconds = Some(number(&start[17..])).filter(|seconds| *seconds < 60)?;
    Some(minutes * 60_000 + i64::from(seconds) * 1000 + thousandths)
}

/// `YYYY-MM-DD`, in days since 1970-01-01.
fn days(text: &[u8]) -> Option<i64> {
    let year = i32::try_from(number(&text[..4])).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(&text[5..7]), number(&text[8..]))?;
    Some(day.signed_duration_since(NaiveDate::default()).num_days())
}

/// `hh:mm`, in minutes.
fn minutes(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = (number(&text[..2]), number(&text[3..]));
    (hours < 24 && minutes < 60).then_some(i64::from(hours * 60 + minutes))
}

/// A few digits.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
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
    let digits = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0');
    let magnitude = if whole.len() + fraction.len() <= FEW_DIGITS {
        i128::from(digits.fold(0_u64, |n, digit| n * 10 + u64::from(digit)))
    } else {
        digits.fold(0_i128, |n, digit| n * 10 + i128::from(digit))
    };
    Some((if unsigned.len() < text.len() { -magnitude } else { magnitude }, scale))
}

/// The same number at another scale, if nothing is lost and it has at most `precision` digits there.
#[must_use]
pub fn rescale((unscaled, from): (i128, u32), precision: u32, scale: u32) -> Option<i128> {
    let value = if scale >= from {
        unscaled.checked_mul(power(scale - from)?)?
    } else {
        let power = power(from - scale)?;
        (unscaled % power == 0).then_some(unscaled / power)?
    };
    let limit = power(precision.min(MOST_DIGITS))?.unsigned_abs();
    (value.unsigned_abs() < limit).then_some(value)
}

/// Where the two's complement of a number begins in its sixteen bytes, big-endian, in the fewest: one bit of the sign is
/// left.
#[must_use]
#[inline]
pub fn first_byte(unscaled: i128) -> usize {
    let same_as_sign = if unscaled < 0 { unscaled.leading_ones() } else { unscaled.leading_zeros() };
    (same_as_sign as usize - 1) / 8
}

/// The number of a two's complement, big-endian.
#[must_use]
#[inline]
pub fn unscaled(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let filler = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [filler; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

fn power(exponent: u32) -> Option<i128> {
    POWERS.get(exponent as usize).copied()
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
        /// chrono reads more forms, and what both read they read alike.
        #[test]
        fn timestamps_are_chronos(text in "[012][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,4})?(Z|[+-][0-2][0-9]:[0-6][0-9])") {
            let chronos = chrono::DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis());
            let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
            let ours_too = fraction <= 3 && &text[17..19] != "60";
            prop_assert_eq!(timestamp_millis(&text), chronos.filter(|_| ours_too), "{}", text);
        }

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
