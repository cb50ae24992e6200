//! Finds where records end in raw bytes. Works before decoding: in UTF-8 and GB18030 alike no character other than
//! the quote, the delimiter and the line end themselves contains these bytes.

/// Goes through bytes once, keeping its state between calls.
#[derive(Debug, Clone)]
pub(super) enum Splitter {
    Lines,
    /// RFC 4180: a line end within quotes belongs to the field.
    Csv {
        delimiter: u8,
        within: Within,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    FieldStart,
    Plain,
    Quoted,
    /// A quote within quotes: the end of the field, or half of an escaped one.
    Quote,
}

impl Splitter {
    pub fn csv(delimiter: u8) -> Self {
        Self::Csv { delimiter, within: Within::FieldStart }
    }

    /// The place behind the first record's end, if the bytes hold one; else all bytes are taken in.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Lines => bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
            Self::Csv { delimiter, within } => {
                for (at, &byte) in bytes.iter().enumerate() {
                    if byte == b'\n' && *within != Within::Quoted {
                        *within = Within::FieldStart;
                        return Some(at + 1);
                    }
                    *within = step(*within, byte, *delimiter);
                }
                None
            }
        }
    }
}

fn step(within: Within, byte: u8, delimiter: u8) -> Within {
    match (within, byte) {
        (Within::Quoted, b'"') => Within::Quote,
        (Within::Quoted, _) | (Within::FieldStart | Within::Quote, b'"') => Within::Quoted,
        (_, byte) if byte == delimiter => Within::FieldStart,
        _ => Within::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(mut splitter: Splitter, text: &str) -> Vec<String> {
        let (mut rest, mut found) = (text.as_bytes(), Vec::new());
        while let Some(end) = splitter.end(rest) {
            found.push(String::from_utf8(rest[..end].to_vec()).unwrap());
            rest = &rest[end..];
        }
        found
    }

    #[test]
    fn a_line_end_within_quotes_ends_no_record() {
        assert_eq!(records(Splitter::csv(b','), "a,\"b\nc\"\nd\nhalf"), ["a,\"b\nc\"\n", "d\n"]);
        assert_eq!(records(Splitter::csv(b','), "\"x\"\"\n\",1\n\"y\"\n"), ["\"x\"\"\n\",1\n", "\"y\"\n"]);
        // A quote inside a field that does not begin with one is a character like any other.
        assert_eq!(records(Splitter::csv(b','), "5\" pipe,1\n6\n"), ["5\" pipe,1\n", "6\n"]);
        assert_eq!(records(Splitter::Lines, "{\"a\":\"\\\"\"}\n{}\n"), ["{\"a\":\"\\\"\"}\n", "{}\n"]);
    }

    #[test]
    fn cut_anywhere_the_state_is_kept() {
        let text = "a,\"b\n\"\"c\"\r\n\"d\"\ne\n";
        for cut in 0..text.len() {
            let mut splitter = Splitter::csv(b',');
            let (mut ends, mut base) = (Vec::new(), 0);
            for piece in [&text[..cut], &text[cut..]] {
                let mut rest = piece.as_bytes();
                while let Some(end) = splitter.end(rest) {
                    ends.push(base + piece.len() - rest.len() + end);
                    rest = &rest[end..];
                }
                base += piece.len();
            }
            assert_eq!(ends, [11, 15, 17], "cut at {cut}");
        }
    }
}
