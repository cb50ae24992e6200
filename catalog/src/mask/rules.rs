//! The rules that keep some characters. Each writes what is left, or nothing and `None` if it doesn't recognise the
//! text. Lengths count characters, not bytes.

use std::net::Ipv4Addr;

/// Keeps the first character of a name of at least two letters.
pub(super) fn name(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let belongs = |c: char| c.is_alphabetic() || matches!(c, ' ' | '·' | '•' | '.' | '-' | '\'' | '’');
    text.chars().all(belongs).then_some(())?;
    first(text, out)
}

/// Keeps the first character of at least two.
pub(super) fn first(text: &str, out: &mut Vec<u8>) -> Option<()> {
    keep(text, 1, 0, out)
}

/// Keeps 1 + 2 of 18 characters (17 digits and a digit or upper-case X), or of the 15 digits of old numbers.
pub(super) fn citizen_id(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let body = match text.len() {
        18 => text.strip_suffix('X').unwrap_or(text),
        15 => text,
        _ => return None,
    };
    digits(body)?;
    keep(text, 1, 2, out)
}

/// Keeps 3 + 4 of 11 digits that begin with 1.
pub(super) fn mobile(text: &str, out: &mut Vec<u8>) -> Option<()> {
    digits(text.strip_prefix('1')?)?;
    (text.len() == 11).then_some(())?;
    keep(text, 3, 4, out)
}

/// Keeps 4 + 2 of a number with its area code: 10 to 12 digits that begin with 0, perhaps with one `-`.
pub(super) fn phone(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (area, number) = text.split_once('-').unwrap_or((text, "0"));
    digits(area.strip_prefix('0')?)?;
    digits(number)?;
    let count = text.bytes().filter(u8::is_ascii_digit).count();
    (10..=12).contains(&count).then_some(())?;
    keep(text, 4, 2, out)
}

/// Hides the last 8 characters of an address that has more.
pub(super) fn address(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let kept = text.chars().count().checked_sub(8).filter(|kept| *kept > 0)?;
    keep(text, kept, 0, out)
}

/// Keeps the first character and the domain; the part before `@` has at least two.
pub(super) fn email(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (local, domain) = text.split_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    let host = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let recognised = local.chars().all(plain) && !domain.is_empty() && domain.bytes().all(host);
    recognised.then_some(())?;
    keep(local, 1, 0, out)?;
    out.extend_from_slice(&text.as_bytes()[local.len()..]);
    Some(())
}

/// Keeps 3 + 1 of the 7 or 8 characters of a plate: a Chinese character, a letter, letters and digits; the last may be
/// a word such as 学 or 警.
pub(super) fn plate(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let sign = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let mut chars = text.chars();
    let province = chars.next().filter(|c| c.is_alphabetic() && !c.is_ascii());
    let office = chars.next().filter(char::is_ascii_uppercase);
    let last = chars.next_back().filter(|c| sign(*c) || "挂学警港澳使领试超".contains(*c));
    let middle = chars.as_str();
    let recognised = middle.chars().all(sign) && matches!(middle.len(), 4 | 5);
    (recognised && province.is_some() && office.is_some() && last.is_some()).then_some(())?;
    keep(text, 3, 1, out)
}

/// Keeps the first and the last group of four of 9 to 30 digits (spaces in between don't count).
pub(super) fn bank_card(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let number: String = text.split(' ').collect();
    digits(&number)?;
    (9..=30).contains(&number.len()).then_some(())?;
    let last = (number.len() - 1) / 4;
    for group in 0..=last {
        let place = group * 4..(group * 4 + 4).min(number.len());
        if group > 0 {
            out.push(b' ');
        }
        let shown = if group == 0 || group == last { &number[place] } else { "****" };
        out.extend_from_slice(shown.as_bytes());
    }
    Some(())
}

/// Keeps the first octet.
pub(super) fn ipv4(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let [first, ..] = text.parse::<Ipv4Addr>().ok()?.octets();
    out.extend_from_slice(format!("{first}.*.*.*").as_bytes());
    Some(())
}

fn digits(text: &str) -> Option<()> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(())
}

/// Keeps so many characters at both ends and a star for each between; nothing if none would be hidden.
fn keep(text: &str, head: usize, tail: usize, out: &mut Vec<u8>) -> Option<()> {
    let hidden = text.chars().count().checked_sub(head + tail).filter(|hidden| *hidden > 0)?;
    let behind_head = text.char_indices().nth(head).map_or(text.len(), |(at, _)| at);
    let last = tail.checked_sub(1).and_then(|tail| text.char_indices().nth_back(tail));
    out.extend_from_slice(&text.as_bytes()[..behind_head]);
    out.resize(out.len() + hidden, b'*');
    out.extend_from_slice(&text.as_bytes()[last.map_or(text.len(), |(at, _)| at)..]);
    Some(())
}
