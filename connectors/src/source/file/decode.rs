//! Text out of bytes, strictly: what is not of the encoding is an error that names its line, never a replacement
//! character.

use std::borrow::Cow;

use encoding_rs::GB18030;

use super::spec::Encoding;

/// Whole lines as text; or the number of the first line, from 0, that is not of the encoding.
pub(super) fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Cow<'_, str>, u64> {
    strict(encoding, bytes).ok_or_else(|| {
        let wrong =
            bytes.split_inclusive(|byte| *byte == b'\n').position(|line| strict(encoding, line).is_none());
        wrong.unwrap_or(0) as u64
    })
}

fn strict(encoding: Encoding, bytes: &[u8]) -> Option<Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Encoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// A byte order mark at a file's start says nothing more than the encoding.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_give_the_same_text() {
        let text = "湖㳇镇,流波䃥镇,㮾梨街道,𠮷\n";
        let (encoded, _, unmappable) = GB18030.encode(text);
        assert!(!unmappable);
        assert_eq!(decode(Encoding::Gb18030, &encoded).unwrap(), text);
        assert_eq!(decode(Encoding::Utf8, text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn what_does_not_decode_names_its_line() {
        assert_eq!(decode(Encoding::Utf8, b"a\nb\xff\nc\n"), Err(1));
        assert_eq!(decode(Encoding::Gb18030, b"a\nb\n\xd6\xff\n"), Err(2));
        // GB18030 bytes are not UTF-8.
        assert_eq!(decode(Encoding::Utf8, &GB18030.encode("名称\n").0), Err(0));
    }
}
