//! What stands between the quotes of a JSON string.

/// How many bytes from the start on stand for themselves: no quote, no backslash, no control character.
#[inline]
pub(in crate::avro) fn plain(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return place * 8 + (stops.trailing_zeros() / 8) as usize;
        }
    }
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    bytes.len() - rest.len() + rest.iter().position(stop).unwrap_or(rest.len())
}

/// Eight bytes at once: the lowest bit that is set is the high bit of the first byte that does not stand for itself.
fn stops(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word & HIGH;
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    below(quote, 1) | below(backslash, 1) | below(word, 0x20)
}

/// What a string with well-formed escapes holds; `None` where half of a surrogate pair is missing.
pub(in crate::avro) fn unescape<'s>(inner: &str, out: &'s mut String) -> Option<&'s str> {
    out.clear();
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (kind, behind) = (rest.as_bytes().get(at + 1)?, rest.get(at + 2..)?);
        rest = behind;
        out.push(match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = unit(&mut rest)?;
                let pair = (0xd800..0xdc00).contains(&first);
                let second = if pair { Some(second(&mut rest)?) } else { None };
                char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?
            }
            other => char::from(*other),
        });
    }
    out.push_str(rest);
    Some(out)
}

fn second(rest: &mut &str) -> Option<u16> {
    *rest = rest.strip_prefix("\\u")?;
    unit(rest)
}

fn unit(rest: &mut &str) -> Option<u16> {
    let (digits, behind) = rest.split_at_checked(4)?;
    *rest = behind;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_ends_at_the_first_byte_that_needs_an_escape(bytes in "[a中\"\\\\\u{0}-\u{1f}\u{7f}]{0,40}") {
            let first = bytes.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20);
            prop_assert_eq!(plain(bytes.as_bytes()), first.unwrap_or(bytes.len()));
        }

        #[test]
        fn every_byte_is_told_apart(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let first = bytes.iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20);
            prop_assert_eq!(plain(&bytes), first.unwrap_or(bytes.len()));
        }
    }
}
