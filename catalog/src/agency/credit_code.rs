//! 统一社会信用代码 (domain.md 3.3): 18 characters, of which the last and, within, the organisation code's last are
//! checks.

use crate::error::{Code, Refusal};

/// No I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const LENGTH: usize = 18;
/// Where the organisation code begins and ends; its last character is its check.
const ORGANISATION: std::ops::Range<usize> = 8..17;
const ORGANISATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

pub fn check(code: &str) -> Result<(), Refusal> {
    let bytes = code.as_bytes();
    if bytes.len() != LENGTH {
        let length = code.chars().count();
        return Err(wrong(
            format!("统一社会信用代码应为 {LENGTH} 位,现为 {length} 位"),
            format!("a unified social credit code has {LENGTH} characters, this has {length}"),
        ));
    }
    if !bytes.iter().all(|byte| ALPHABET.contains(byte)) {
        return Err(wrong(
            "统一社会信用代码只含数字和大写字母,且不含 I、O、S、V、Z".to_owned(),
            "a unified social credit code has digits and capital letters, without I, O, S, V, Z".to_owned(),
        ));
    }
    if !bytes[2..8].iter().all(u8::is_ascii_digit) {
        return Err(wrong(
            "统一社会信用代码的第 3 至 8 位应为行政区划数字".to_owned(),
            "characters 3 to 8 of a unified social credit code are the digits of a division".to_owned(),
        ));
    }
    if outer_check(bytes) != bytes[LENGTH - 1] || organisation_check(&bytes[ORGANISATION]) != bytes[16] {
        return Err(wrong(
            "统一社会信用代码的校验位不符,请核对是否抄错".to_owned(),
            "the check characters of the unified social credit code do not fit: was it copied wrong?"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Weights are powers of 3 modulo 31.
fn outer_check(code: &[u8]) -> u8 {
    let (mut sum, mut weight) = (0, 1);
    for byte in &code[..LENGTH - 1] {
        let value = ALPHABET.iter().position(|letter| letter == byte).unwrap_or(0);
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    ALPHABET[(31 - sum % 31) % 31]
}

fn organisation_check(code: &[u8]) -> u8 {
    let value = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') + 10 };
    let sum: u32 =
        code.iter().zip(ORGANISATION_WEIGHTS).map(|(byte, weight)| u32::from(value(*byte)) * weight).sum();
    match (11 - sum % 11) % 11 {
        10 => b'X',
        digit => b"0123456789"[digit as usize],
    }
}

fn wrong(zh: String, en: String) -> Refusal {
    Refusal::new(Code::InvalidCode, zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_codes() {
        for code in [
            "91999999FAKE00013K",
            "11999999FAKE00021N",
            "12440000FAKE0003XR",
            "52999999FAKE000487",
            "93999999FAKE00056T",
        ] {
            assert_eq!(check(code), Ok(()), "{code}");
        }
    }

    #[test]
    fn wrong_codes() {
        for code in [
            "91999999FAKE00013L",
            "91999999FAKE00014N",
            "91999999FAKEO0013K",
            "91999999FAKE00013",
            "91999999fake00013k",
            "91A99999FAKE00013K",
            "",
            "一二三四五六",
        ] {
            assert_eq!(check(code).unwrap_err().code, Code::InvalidCode, "{code}");
        }
    }

    #[test]
    fn one_wrong_digit_is_found() {
        let good = b"11999999FAKE00021N";
        for place in 0..LENGTH {
            for letter in ALPHABET {
                let mut changed = *good;
                changed[place] = *letter;
                let code = String::from_utf8(changed.to_vec()).unwrap();
                assert_eq!(check(&code).is_ok(), changed == *good, "{code}");
            }
        }
    }
}
