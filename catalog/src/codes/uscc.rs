//! 统一社会信用代码 (modelled on GB 32100-2015): registering department (1), kind (1), division (6 digits), organisation
//! code (9, with a check of its own), check (1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{organisation_check, wrong};
use crate::error::Refusal;

/// Without I, O, S, V and Z.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// An organisation's credit code with both checks right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uscc(String);

impl Uscc {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 登记机关行政区划: the division of the registering office.
    #[must_use]
    pub fn division(&self) -> &str {
        &self.0[2..8]
    }

    /// 主体标识码: the organisation code with its check.
    #[must_use]
    pub fn organisation(&self) -> &str {
        &self.0[8..17]
    }
}

impl FromStr for Uscc {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad =
            |zh: String, en: String| wrong("统一社会信用代码", "unified social credit code", text, zh, en);
        let count = text.chars().count();
        if count != 18 {
            return Err(bad(
                format!("应有 18 个字符,现有 {count} 个"),
                format!("18 characters are expected, there are {count}"),
            ));
        }
        let foreign = |(at, c): &(usize, char)| {
            let division = (2..8).contains(at);
            !ALPHABET.contains(*c) || (division && !c.is_ascii_digit())
        };
        if let Some((at, c)) = text.chars().enumerate().find(foreign) {
            let at = at + 1;
            return Err(bad(
                format!("第 {at} 位不能是“{c}”(数字或大写字母,无 I、O、S、V、Z;第 3 至 8 位为数字)"),
                format!(
                    "character {at} can't be '{c}' (digits and capitals without I, O, S, V, Z; 3 to 8 are digits)"
                ),
            ));
        }
        let check = check(text);
        if !text.ends_with(check) {
            return Err(bad(
                format!("末位校验码应为 {check},请核对各位"),
                format!("the check at its end would be {check}: compare every character"),
            ));
        }
        let inner = organisation_check(&text[8..16]);
        if text.chars().nth(16) != inner {
            let inner = inner.unwrap_or('?');
            return Err(bad(
                format!("第 17 位(组织机构代码校验码)应为 {inner},请核对各位"),
                format!(
                    "character 17, the organisation code's own check, would be {inner}: compare every character"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The check of the first 17 characters, all of the alphabet.
fn check(text: &str) -> char {
    let mut weight = 1;
    let mut sum = 0;
    for c in text.chars().take(17) {
        sum += ALPHABET.find(c).unwrap_or(0) * weight;
        weight = weight * 3 % 31;
    }
    char::from(ALPHABET.as_bytes()[(31 - sum % 31) % 31])
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Uscc {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<Uscc> for String {
    fn from(code: Uscc) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;

    const GOOD: [&str; 5] = [
        "91999999FAKE00013K",
        "11999999FAKE00021N",
        "12440000FAKE0003XR",
        "52999999FAKE000487",
        "93999999FAKE00056T",
    ];

    #[test]
    fn the_vectors() {
        for text in GOOD {
            let code: Uscc = text.parse().unwrap_or_else(|refusal| panic!("{refusal}"));
            assert_eq!(code.to_string(), text);
        }
        let code: Uscc = GOOD[2].parse().unwrap();
        assert_eq!((code.division(), code.organisation()), ("440000", "FAKE0003X"));
        for (text, reason) in [
            ("91999999FAKE00013L", "the check at its end would be K"),
            ("91999999FAKE00014N", "character 17, the organisation code's own check, would be 3"),
            ("91999999FAKEO0013K", "character 13 can't be 'O'"),
            ("9199999XFAKE00013K", "character 8 can't be 'X'"),
            ("91999999fake00013k", "character 9 can't be 'f'"),
            ("91999999FAKE00013", "there are 17"),
            ("", "there are 0"),
            ("91999999FAKE00013中", "character 18 can't be '中'"),
            (" 91999999FAKE00013K", "there are 19"),
        ] {
            let refusal = text.parse::<Uscc>().unwrap_err();
            assert_eq!(refusal.code, Code::InvalidCode);
            assert!(refusal.text.en.contains(reason), "{text}: {}", refusal.text.en);
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_found(which in 0..GOOD.len(), at in 0..18_usize, with in "[0-9A-HJ-NPQRTUWXY]") {
            let mut text = GOOD[which].to_owned();
            text.replace_range(at..=at, &with);
            prop_assert_eq!(text.parse::<Uscc>().is_ok(), text == GOOD[which]);
        }

        #[test]
        fn two_neighbours_changed_are_found(which in 0..GOOD.len(), at in 0..17_usize) {
            let mut bytes = GOOD[which].as_bytes().to_vec();
            bytes.swap(at, at + 1);
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(text.parse::<Uscc>().is_ok(), text == GOOD[which]);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            prop_assert!(text.parse::<Uscc>().is_err());
        }
    }
}
