//! What stands between the quotes of a JSON string.

/// Bytes that are looked at together, in a few instructions.
const WIDTH: usize = 16;

/// How many bytes from the start on stand for themselves: no quote, no backslash, no control character.
#[inline(always)]
pub(in crate::avro) fn plain(bytes: &[u8]) -> usize {
    for (place, chunk) in bytes.as_chunks::<WIDTH>().0.iter().enumerate() {
        let stops = stops(chunk);
        if stops != 0 {
            return place * WIDTH + (stops.trailing_zeros() / 8) as usize;
        }
    }
    // What the last ones share with those before them is plain.
    if let Some(last) = bytes.last_chunk::<WIDTH>() {
        return bytes.len() - WIDTH + (stops(last).trailing_zeros() / 8) as usize;
    }
    let mut few = [b' '; WIDTH];
    few[..bytes.len()].copy_from_slice(bytes);
    bytes.len().min((stops(&few).trailing_zeros() / 8) as usize)
}

/// The lowest bit that is set is of the first byte that does not stand for itself.
#[inline(always)]
fn stops(bytes: &[u8; WIDTH]) -> u128 {
    let mut stops = [0; WIDTH];
    for (stop, byte) in stops.iter_mut().zip(bytes) {
        // Without branches, so that the compiler sees to all of them at once.
        *stop = if (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20) { 0xff } else { 0 };
    }
    u128::from_le_bytes(stops)
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
