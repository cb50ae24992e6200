//! Records from JSON: one object a line, or an array of objects. Plain JSON, not Avro's: a nullable item is its value
//! or null; `$op` says what is done.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body::{Found, Sink, malformed};
use super::plan::Plan;
use super::problem::{Problem, Reason};
use super::scalar;

/// More problems of one record than this are not looked for.
const MOST_PROBLEMS: usize = 20;

pub(super) fn read_lines(sink: &mut Sink<'_>, body: &[u8]) -> Result<(), Refusal> {
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let found = object(sink.plan, line);
        sink.take(line.len(), found, || Bytes::copy_from_slice(line))?;
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
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut refused = None;
    let read = reader.deserialize_seq(Elements { sink, refused: &mut refused }).and_then(|()| reader.end());
    match (refused, read) {
        (Some(refusal), _) => Err(refusal),
        (None, Ok(())) => Ok(()),
        (None, Err(e)) => Err(malformed(
            format!("请求体不是 JSON 数组(第 {} 行第 {} 列)", e.line(), e.column()),
            format!("the body is not a JSON array (line {}, column {})", e.line(), e.column()),
        )),
    }
}

struct Elements<'s, 'p> {
    sink: &'s mut Sink<'p>,
    refused: &'s mut Option<Refusal>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            let text = raw.get();
            let found = object(self.sink.plan, text.as_bytes());
            // A raw line break in valid JSON is always blank between tokens, so the record becomes one line.
            let line = || Bytes::from(text.replace(['\n', '\r'], " "));
            if let Err(refusal) = self.sink.take(text.len(), found, line) {
                *self.refused = Some(refusal);
                return Err(serde::de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Reads one object; never fails, what is wrong is in `problems`.
fn object<'a>(plan: &Plan, line: &'a [u8]) -> Found<'a> {
    let mut found = Found::empty(plan.fields.len());
    let Ok(text) = std::str::from_utf8(line) else {
        found.problems.push(Problem::whole(Reason::NotUtf8));
        return found;
    };
    if !text.starts_with('{') {
        let json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        found.problems.push(Problem::whole(if json { Reason::NotAnObject } else { Reason::NotJson }));
        return found;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Object { plan, found: &mut found }.deserialize(&mut reader).and_then(|()| reader.end());
    if read.is_err() {
        found.problems.insert(0, Problem::whole(Reason::NotJson));
    }
    found
}

struct Object<'f, 'a> {
    plan: &'f Plan,
    found: &'f mut Found<'a>,
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.plan.fields.len()];
        let (mut guess, mut told) = (0, false);
        while let Some(Name(name)) = members.next_key()? {
            let raw: &'de RawValue = members.next_value()?;
            if name == "$op" {
                if std::mem::replace(&mut told, true) {
                    self.found.problems.push(Problem::at("$op", Reason::Duplicate));
                }
                self.operation(raw.get());
                continue;
            }
            // Most publishers write the items in their order.
            let at = match self.plan.fields.get(guess) {
                Some(field) if field.name == name => Some(guess),
                _ => self.plan.index(&name),
            };
            match at {
                Some(at) => {
                    guess = at + 1;
                    self.found_item(at, raw.get(), &mut seen);
                }
                None => self.problem(&name, Reason::Unknown),
            }
        }
        Ok(())
    }
}

impl<'de> Object<'_, 'de> {
    fn found_item(&mut self, at: usize, raw: &'de str, seen: &mut [bool]) {
        let field = &self.plan.fields[at];
        if std::mem::replace(&mut seen[at], true) {
            return self.problem(&field.name, Reason::Duplicate);
        }
        match scalar::from_json(field, raw) {
            Ok(value) => self.found.values[at] = Some(value),
            Err(reason) => self.problem(&field.name, reason),
        }
    }

    fn operation(&mut self, raw: &str) {
        match raw {
            "\"upsert\"" => {}
            "\"delete\"" => self.found.delete = true,
            _ => self.found.problems.push(Problem::at("$op", Reason::Operation)),
        }
    }

    fn problem(&mut self, name: &str, reason: Reason) {
        if self.found.problems.len() < MOST_PROBLEMS {
            // An unknown name is the sender's text, perhaps a value in the wrong place: told only where it could be
            // the name of an item.
            let like_an_item = name.len() <= 64
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let shown = if like_an_item { name } else { "?" };
            self.found.problems.push(Problem::at(shown, reason));
        }
    }
}

/// A member name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        reader.deserialize_str(Text)
    }
}
