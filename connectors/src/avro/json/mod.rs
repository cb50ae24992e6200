//! Records from JSON: one object a line, or an array of objects. Plain JSON, not Avro's: a nullable item is its value
//! or null; `$op` says what is done. Each object is one pass: a value is checked and encoded where it stands.

mod scan;
mod text;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use changtong_catalog::error::Refusal;

use self::scan::{Malformed, Scanner};
use super::body::{Sink, malformed};
use super::plan::Plan;
use super::problem::Reason;
use super::row::Row;
use super::scalar;
pub(super) use scan::Token;
pub(super) use text::{plain, unescape};

/// The bytes that a body's lines are cut at.
const LINE_FEED: u8 = b'\n';

pub(super) fn read_lines(sink: &mut Sink<'_>, body: &[u8]) -> Result<(), Refusal> {
    let mut reader = Reader::new(sink.plan);
    // Text is looked at all at once; where a line is none, each alone.
    let text = simdutf8::basic::from_utf8(body).ok();
    let ends = memchr::memchr_iter(LINE_FEED, body).chain([body.len()]);
    let mut start = 0;
    for end in ends {
        let line = body[start..end].trim_ascii();
        let known = text.map(|text| text[start..end].trim_ascii());
        start = end + 1;
        if line.is_empty() {
            continue;
        }
        match known.or_else(|| simdutf8::basic::from_utf8(line).ok()) {
            Some(text) => reader.line(text),
            None => reader.not_text(),
        }
        sink.take(line.len(), &mut reader.row, || Bytes::copy_from_slice(line))?;
    }
    Ok(())
}

pub(super) fn read_array(sink: &mut Sink<'_>, body: &[u8]) -> Result<(), Refusal> {
    let text = std::str::from_utf8(body).map_err(|e| {
        malformed(
            format!("请求体不是 UTF-8(第 {} 字节)", e.valid_up_to()),
            format!("the body is not UTF-8 (at byte {})", e.valid_up_to()),
        )
    })?;
    let mut scanner = Scanner::new(text);
    elements(sink, &mut scanner)?.map_err(|Malformed| {
        let (line, column) = position(text, scanner.at);
        malformed(
            format!("请求体不是 JSON 数组(第 {line} 行第 {column} 列)"),
            format!("the body is not a JSON array (line {line}, column {column})"),
        )
    })
}

/// The outer error is one of the records, the inner one of the text.
fn elements(sink: &mut Sink<'_>, scanner: &mut Scanner<'_>) -> Result<Result<(), Malformed>, Refusal> {
    scanner.space();
    if !scanner.take(b'[') {
        return Ok(Err(Malformed));
    }
    let mut reader = Reader::new(sink.plan);
    scanner.space();
    let mut more = !scanner.take(b']');
    while more {
        scanner.space();
        let start = scanner.at;
        if let Err(malformed) = reader.value(scanner) {
            return Ok(Err(malformed));
        }
        let text = scanner.since(start);
        // A raw line break in valid JSON is always blank between tokens, so the record becomes one line.
        let line = || Bytes::from(text.replace(['\n', '\r'], " "));
        sink.take(text.len(), &mut reader.row, line)?;
        scanner.space();
        more = scanner.take(b',');
        if !more && !scanner.take(b']') {
            return Ok(Err(Malformed));
        }
    }
    Ok(if scanner.is_done() { Ok(()) } else { Err(Malformed) })
}

/// Line and column of a byte, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == LINE_FEED).count() + 1;
    let start = before.iter().rposition(|byte| *byte == LINE_FEED).map_or(0, |feed| feed + 1);
    (line, before.len() - start + 1)
}

/// What a member's name means.
enum Member<'a> {
    Item(usize),
    Operation,
    /// Of no item; without escapes, if it had none.
    Unknown(Option<&'a str>),
}

struct Reader<'p> {
    plan: &'p Plan,
    row: Row,
    /// What a string with escapes holds.
    unescaped: String,
}

impl<'p> Reader<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self { plan, row: Row::default(), unescaped: String::new() }
    }

    fn not_text(&mut self) {
        self.row.begin(self.plan.fields.len());
        self.row.wrong(Reason::NotUtf8);
    }

    /// One object and nothing else; never fails, what is wrong is in the row's problems.
    fn line(&mut self, text: &str) {
        let mut scanner = Scanner::new(text);
        if self.value(&mut scanner).is_err() || !scanner.is_done() {
            self.row.wrong(Reason::NotJson);
        }
    }

    fn value(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Malformed> {
        self.row.begin(self.plan.fields.len());
        if scanner.take(b'{') {
            let members = *scanner;
            scanner.aside(|scanner| self.members(scanner))?;
            if self.row.delete && !self.row.problems.is_empty() {
                // Before `$op` it was not known what a delete does not need.
                *scanner = members;
                self.row.begin(self.plan.fields.len());
                self.row.delete = true;
                scanner.aside(|scanner| self.members(scanner))?;
            }
            return Ok(());
        }
        scanner.token()?;
        self.row.wrong(Reason::NotAnObject);
        Ok(())
    }

    #[inline(always)]
    fn members(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Malformed> {
        scanner.space();
        if scanner.take(b'}') {
            return Ok(());
        }
        // Most publishers write the items in their order: each is guessed to be the one behind the last.
        let (mut guess, mut told) = (0, false);
        let mut next = Some(scanner.aside(|scanner| self.member(scanner, guess))?);
        while let Some(member) = next {
            scanner.space();
            match member {
                Member::Item(at) => {
                    guess = at + 1;
                    self.item(at, scanner)?;
                }
                Member::Operation => {
                    let twice = std::mem::replace(&mut told, true);
                    scanner.aside(|scanner| self.operation(scanner, twice))?;
                }
                Member::Unknown(name) => {
                    scanner.aside(Scanner::token)?;
                    self.row.problem(shown(name), Reason::Unknown);
                }
            }
            next = self.following(scanner, guess)?;
        }
        Ok(())
    }

    /// What stands behind a value: the name of another member, or the end.
    #[inline(always)]
    fn following<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
        guess: usize,
    ) -> Result<Option<Member<'a>>, Malformed> {
        if let Some(field) = self.plan.fields.get(guess)
            && scanner.take_all(field.label_behind())
        {
            return Ok(Some(Member::Item(guess)));
        }
        scanner.space();
        if scanner.take(b'}') {
            return Ok(None);
        }
        if !scanner.take(b',') {
            return Err(Malformed);
        }
        scanner.space();
        scanner.aside(|scanner| self.member(scanner, guess)).map(Some)
    }

    /// A member's name with its colon.
    fn member<'a>(&mut self, scanner: &mut Scanner<'a>, guess: usize) -> Result<Member<'a>, Malformed> {
        if let Some(field) = self.plan.fields.get(guess)
            && scanner.take_all(field.label())
        {
            return Ok(Member::Item(guess));
        }
        let token = scanner.name()?;
        scanner.colon()?;
        let (name, shown) = match token {
            Token::Text(name) => (Some(name), Some(name)),
            Token::Escaped(inner) => (unescape(inner, &mut self.unescaped), None),
            _ => return Err(Malformed),
        };
        Ok(match name {
            Some("$op") => Member::Operation,
            Some(name) => self.plan.index(name).map_or(Member::Unknown(shown), Member::Item),
            None => Member::Unknown(None),
        })
    }

    #[inline(always)]
    fn item(&mut self, at: usize, scanner: &mut Scanner<'_>) -> Result<(), Malformed> {
        let field = &self.plan.fields[at];
        let token = scanner.token()?;
        if self.row.has(at) {
            self.row.problem(field.name(), Reason::Duplicate);
            return Ok(());
        }
        if self.plan.passes_over(at, self.row.delete) {
            self.row.put(at, field, |_| Ok(()));
            return Ok(());
        }
        let unescaped = &mut self.unescaped;
        self.row.put(at, field, |out| scalar::from_json(field, token, unescaped, out));
        Ok(())
    }

    fn operation(&mut self, scanner: &mut Scanner<'_>, told: bool) -> Result<(), Malformed> {
        if told {
            self.row.problem("$op", Reason::Duplicate);
        }
        match scanner.token()? {
            Token::Text("upsert") => {}
            Token::Text("delete") => self.row.delete = true,
            _ => self.row.problem("$op", Reason::Operation),
        }
        Ok(())
    }
}

/// An unknown name is the sender's text, perhaps a value in the wrong place: told only where it could be the name of an
/// item.
fn shown(name: Option<&str>) -> &str {
    let like_an_item = |name: &&str| {
        name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.filter(like_an_item).unwrap_or("?")
}
