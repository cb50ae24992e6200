//! A delivered line as a line of the file.

use changtong_catalog::error::Refusal;
use changtong_catalog::resource::Kind;
use serde_json::{Map, Value};

use super::FileSinkFormat;
use crate::bus::Subscribed;
use crate::sink::Line;
use crate::sink::line::garbled;

pub(super) struct Renderer {
    format: FileSinkFormat,
    kind: Kind,
    columns: Vec<String>,
    /// Columns before the items.
    own: usize,
}

impl Renderer {
    pub fn new(format: FileSinkFormat, subscribed: &Subscribed) -> Self {
        let own: &[&str] = match subscribed.kind {
            Kind::Table => &["id", "op", "k", "published_at"],
            Kind::Stream => &["id", "published_at"],
        };
        let items = subscribed.items.iter().map(|item| item.name.clone());
        let columns = own.iter().map(|name| (*name).to_owned()).chain(items).collect();
        Self { format, kind: subscribed.kind, columns, own: own.len() }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn header(&self, out: &mut Vec<u8>) {
        if self.format == FileSinkFormat::Csv {
            row(self.columns.iter().map(|name| Field::Text(name)), out);
        }
    }

    pub fn line(&self, line: &Line, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let own = self.own_fields(line)?;
        let items = &self.columns[self.own..];
        let value = |name: &String| line.record.as_ref().and_then(|record| record.get(name));
        match self.format {
            FileSinkFormat::Csv => {
                let own = own.into_iter().map(Field::Text);
                let numbers: Vec<Option<String>> =
                    items.iter().map(|name| value(name).and_then(plain)).collect();
                let fields = items.iter().zip(&numbers).map(|(name, number)| match (value(name), number) {
                    (Some(Value::String(text)), _) => Field::Text(text),
                    (_, Some(number)) => Field::Text(number),
                    _ => Field::Null,
                });
                row(own.chain(fields), out);
            }
            FileSinkFormat::Ndjson => {
                let mut object = Map::new();
                for (name, text) in self.columns.iter().zip(own) {
                    object.insert(name.clone(), text.into());
                }
                if let Some(record) = &line.record {
                    object.insert("record".to_owned(), Value::Object(record.clone()));
                }
                // Writing into a Vec does not fail.
                let _ = serde_json::to_writer(&mut *out, &object);
                out.push(b'\n');
            }
        }
        Ok(())
    }

    fn own_fields<'a>(&self, line: &'a Line) -> Result<Vec<&'a str>, Refusal> {
        if self.kind == Kind::Stream {
            return Ok(vec![&line.id, &line.published_at]);
        }
        let op = line.op.ok_or_else(garbled)?.as_str();
        let k = line.k.as_deref().ok_or_else(garbled)?;
        Ok(vec![&line.id, op, k, &line.published_at])
    }
}

/// A number, a truth value, or what is nested, as JSON; nothing for null and text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::String(_) => None,
        other => Some(other.to_string()),
    }
}

enum Field<'a> {
    Null,
    Text(&'a str),
}

/// RFC 4180 with LF.
fn row<'a>(fields: impl Iterator<Item = Field<'a>>, out: &mut Vec<u8>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match field {
            Field::Null => {}
            Field::Text("") => out.extend_from_slice(b"\"\""),
            Field::Text(text) if text.contains(['"', ',', '\n', '\r']) => {
                out.push(b'"');
                out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            }
            Field::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.push(b'\n');
}
