//! Encodings of data files. Strict: bytes that are not of the encoding are an error, never a replacement letter.

use std::io::{self, Read};

use clap::ValueEnum;
use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "gb18030")]
    Gb18030,
}

impl Encoding {
    /// A reader of the same text in UTF-8.
    pub fn reader<'a>(self, input: impl Read + 'a) -> Box<dyn Read + 'a> {
        let (encoding, wrong) = match self {
            Self::Utf8 => (UTF_8, "is not UTF-8 text; --encoding gb18030 reads GBK and GB 18030"),
            Self::Gb18030 => (GB18030, "is not GB18030 text"),
        };
        Box::new(Decoding {
            input,
            decoder: encoding.new_decoder_without_bom_handling(),
            wrong,
            raw: vec![0; PIECE],
            filled: 0,
            text: Vec::new(),
            given: 0,
            lines: 1,
            ended: false,
        })
    }
}

const PIECE: usize = 64 << 10;

struct Decoding<R> {
    input: R,
    decoder: Decoder,
    /// What is said of a line that is not of the encoding.
    wrong: &'static str,
    raw: Vec<u8>,
    /// Bytes of `raw` that are not decoded yet.
    filled: usize,
    text: Vec<u8>,
    /// Bytes of `text` that were handed out.
    given: usize,
    lines: usize,
    ended: bool,
}

impl<R: Read> Decoding<R> {
    fn step(&mut self) -> io::Result<()> {
        let read = self.input.read(&mut self.raw[self.filled..])?;
        let last = read == 0;
        self.filled += read;
        self.given = 0;
        // Neither encoding needs more than three bytes of UTF-8 for one of its own.
        self.text.resize(3 * self.filled + 16, 0);
        let (result, taken, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[..self.filled], &mut self.text, last);
        self.text.truncate(written);
        self.lines += self.text.iter().filter(|byte| **byte == b'\n').count();
        if let DecoderResult::Malformed(..) = result {
            let reason = format!("line {} {}", self.lines, self.wrong);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.raw.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        self.ended = last && self.filled == 0;
        Ok(())
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.step()?;
        }
        let piece = &self.text[self.given..];
        let length = piece.len().min(out.len());
        out[..length].copy_from_slice(&piece[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time, so that letters are cut.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = out.len().min(1);
            let length = self.0.read(&mut out[..length])?;
            Ok(length)
        }
    }

    #[test]
    fn text_is_decoded_however_its_bytes_come() {
        let text = "编号,名称\n1,局㐀𠀀\n";
        let (bytes, _, _) = GB18030.encode(text);
        for slow in [false, true] {
            let mut out = String::new();
            let read = if slow {
                Encoding::Gb18030.reader(Slow(&bytes)).read_to_string(&mut out)
            } else {
                Encoding::Gb18030.reader(&*bytes).read_to_string(&mut out)
            };
            read.unwrap();
            assert_eq!(out, text);
        }
    }

    #[test]
    fn a_byte_that_is_not_of_the_encoding_names_its_line() {
        let mut out = String::new();
        let error = Encoding::Gb18030.reader(&b"a\nb\xff\xff\n"[..]).read_to_string(&mut out).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        let (gbk, _, _) = GB18030.encode("编号\n");
        let error = Encoding::Utf8.reader(Slow(&gbk)).read_to_string(&mut out).unwrap_err();
        assert!(error.to_string().contains("--encoding gb18030"), "{error}");
        let error = Encoding::Gb18030.reader(&b"a\x81"[..]).read_to_string(&mut out).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
