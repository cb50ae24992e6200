//! 公民身份号码 (modelled on GB 11643-1999): division (6), birth date (8), order (3), check by ISO 7064 MOD 11-2.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::wrong;
use crate::error::Refusal;

/// A number with the right form and check. Whether its division or date ever existed is another question
/// (`birth_date`): divisions get abolished, and old numbers stay valid for life.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CitizenId(String);

impl CitizenId {
    /// The number itself, which is personal data: for records and masks, never for logs, events or errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `None` if there is no such day.
    #[must_use]
    pub fn birth_date(&self) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(&self.0[6..14], "%Y%m%d").ok()
    }
}

/// Shows nothing of the number.
impl fmt::Debug for CitizenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenId([redacted])")
    }
}

impl FromStr for CitizenId {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        // The text is personal data and stays out of the message.
        let bad = |zh: &str, en: &str| wrong("公民身份号码", "citizen id", "…", zh.to_owned(), en.to_owned());
        let (body, given) = text
            .split_at_checked(17)
            .filter(|(body, given)| {
                body.bytes().all(|b| b.is_ascii_digit())
                    && matches!(given.as_bytes(), [last] if last.is_ascii_digit() || *last == b'X')
            })
            .ok_or_else(|| {
                bad(
                    "应为 17 位数字加一位校验码(数字或大写 X)",
                    "17 digits and a check, a digit or a capital X",
                )
            })?;
        if given != check(body).to_string() {
            return Err(bad("校验码不符,请核对各位", "its check is wrong, compare every digit"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// ISO 7064 MOD 11-2 over digits.
fn check(body: &str) -> char {
    let rest = body.bytes().fold(0, |rest, digit| (rest + u32::from(digit - b'0')) * 2 % 11);
    match (12 - rest) % 11 {
        10 => 'X',
        check => char::from_digit(check, 10).unwrap_or('0'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors() {
        for good in ["999999180001010016", "99999918000101018X", "999999180001010120", "440106180001010013"] {
            let id: CitizenId = good.parse().unwrap_or_else(|refusal| panic!("{good}: {refusal}"));
            assert_eq!(id.birth_date(), NaiveDate::from_ymd_opt(1800, 1, 1), "{good}");
            assert_eq!(id.expose(), good);
            assert!(!format!("{id:?}").contains(good));
        }
        for bad in ["999999180001010017", "999999180001010061", "99999918000101018x", "99999918000101001", ""]
        {
            let refusal = bad.parse::<CitizenId>().unwrap_err();
            assert!(bad.is_empty() || !refusal.to_string().contains(bad), "{refusal}");
        }
        let no_such_day: CitizenId = "999999210002290034".parse().unwrap();
        assert_eq!(no_such_day.birth_date(), None);
    }

    proptest! {
        #[test]
        fn one_wrong_character_or_a_swap_is_found(body in "[0-9]{17}", at in 0..17_usize, with in "[0-9]") {
            let good = format!("{body}{}", check(&body));
            prop_assert!(good.parse::<CitizenId>().is_ok());
            let mut other = good.clone();
            other.replace_range(at..=at, &with);
            prop_assert_eq!(other.parse::<CitizenId>().is_ok(), other == good);
            let mut bytes = good.clone().into_bytes();
            bytes.swap(at, at + 1);
            let swapped = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(swapped.parse::<CitizenId>().is_ok(), swapped == good);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = text.parse::<CitizenId>();
        }
    }
}
