//! JSON text (RFC 8259) taken apart token by token, in one pass and without allocation.

use super::text::plain;

/// Values within each other.
const MOST_DEPTH: usize = 128;

/// The text is not JSON from where the scanner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::avro) enum Token<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    /// A string that says what it holds.
    Text(&'a str),
    /// A string with escapes, between its quotes; each is well formed in itself.
    Escaped(&'a str),
    /// An object or an array, whatever it holds.
    Nested,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Has a copy do what is seldom done: a scanner that only inlined code sees stays in registers.
    #[inline(always)]
    pub fn aside<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let mut copy = *self;
        let answer = act(&mut copy);
        *self = copy;
        answer
    }

    #[inline(always)]
    pub fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    #[inline(always)]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes these very bytes.
    #[inline(always)]
    pub fn take_all(&mut self, bytes: &[u8]) -> bool {
        let found = self.bytes().get(self.at..self.at + bytes.len()).is_some_and(|here| same(here, bytes));
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    #[inline(always)]
    pub fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub fn is_done(&mut self) -> bool {
        self.space();
        self.peek().is_none()
    }

    /// The text from a place to where it stands.
    #[inline(always)]
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next value.
    #[inline(always)]
    pub fn token(&mut self) -> Result<Token<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'{' | b'[') => self.aside(|scanner| scanner.nested(1)).map(|()| Token::Nested),
            Some(b'n') => self.word(b"null", Token::Null),
            Some(b't') => self.word(b"true", Token::Bool(true)),
            Some(b'f') => self.word(b"false", Token::Bool(false)),
            _ => Err(Malformed),
        }
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8], token: Token<'a>) -> Result<Token<'a>, Malformed> {
        if self.take_all(word) { Ok(token) } else { Err(Malformed) }
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Token<'a>, Malformed> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at += plain(&self.bytes()[at..]);
            match self.bytes().get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    let inner = &self.text[start..at];
                    return Ok(if escaped { Token::Escaped(inner) } else { Token::Text(inner) });
                }
                Some(b'\\') => {
                    escaped = true;
                    at += escape(&self.bytes()[at..])?;
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// A string where the name of a member stands.
    pub fn name(&mut self) -> Result<Token<'a>, Malformed> {
        if self.peek() == Some(b'"') { self.string() } else { Err(Malformed) }
    }

    #[inline(always)]
    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.take(b'-');
        // No zero before another digit: behind it nothing that may follow a number is found then.
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(self.since(start))
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Malformed> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(Malformed) } else { Ok(()) }
    }

    /// Over an object or an array; calls go as deep as may be nested.
    fn nested(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > MOST_DEPTH {
            return Err(Malformed);
        }
        let object = self.peek() == Some(b'{');
        let close = if object { b'}' } else { b']' };
        self.at += 1;
        self.space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            self.space();
            if object {
                self.name()?;
                self.colon()?;
                self.space();
            }
            match self.peek() {
                Some(b'{' | b'[') => self.nested(depth + 1)?,
                _ => self.token().map(drop)?,
            }
            self.space();
            if self.take(close) {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Malformed);
            }
        }
    }

    /// The colon behind a name, with the space before it.
    pub fn colon(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.take(b':') { Ok(()) } else { Err(Malformed) }
    }
}

/// Whether two slices of one length are the same, a word at a time and the last one perhaps again: names are short, and
/// a call for each would cost more than they do.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(last), Some(wanted)) => {
            let mut words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
            last == wanted && words.all(|(a, b)| a == b)
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// The length of the escape at the start.
fn escape(bytes: &[u8]) -> Result<usize, Malformed> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') if bytes.len() >= 6 && bytes[2..6].iter().all(u8::is_ascii_hexdigit) => Ok(6),
        _ => Err(Malformed),
    }
}
