//! Avro's parsing form (what matters for reading data, and nothing else) and its fingerprints.

use std::collections::HashSet;

use super::json::quote;
use super::model::{Id, Kind, Schema};
use crate::audit::Digest;

impl Schema {
    /// Avro's Parsing Canonical Form.
    #[must_use]
    pub fn parsing_form(&self) -> String {
        let mut form = Form { schema: self, known: HashSet::new(), out: String::new() };
        form.any(self.top());
        form.out
    }

    /// SHA-256 of the parsing form.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        Digest::of(self.parsing_form().as_bytes())
    }

    /// CRC-64-AVRO of the parsing form, as in the header of a single object (there little-endian).
    #[must_use]
    pub fn rabin(&self) -> u64 {
        rabin(self.parsing_form().as_bytes())
    }
}

const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut print = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            print = (print >> 1) ^ (if print & 1 == 1 { EMPTY } else { 0 });
            bit += 1;
        }
        table[byte] = print;
        byte += 1;
    }
    table
};

fn rabin(bytes: &[u8]) -> u64 {
    let low = |print: u64| usize::from(print.to_le_bytes()[0]);
    bytes.iter().fold(EMPTY, |print, byte| (print >> 8) ^ TABLE[low(print ^ u64::from(*byte))])
}

struct Form<'a> {
    schema: &'a Schema,
    known: HashSet<String>,
    out: String,
}

impl Form<'_> {
    /// Calls go as deep as the canonical text, which the parser has bounded.
    fn any(&mut self, id: Id) {
        let kind = self.schema.kind(id);
        if let Some(named) = kind.named() {
            let full = named.name.full();
            if self.known.contains(&full) {
                quote(&mut self.out, &full);
                return;
            }
            self.out.push_str("{\"name\":");
            quote(&mut self.out, &full);
            self.out.push_str(&format!(",\"type\":\"{}\"", kind.word()));
            self.known.insert(full);
        }
        match kind {
            Kind::Primitive(primitive) => quote(&mut self.out, primitive.word()),
            Kind::Union(branches) => self.list(branches, |form, branch| form.any(*branch)),
            Kind::Array(items) => self.elements("array", "items", *items),
            Kind::Map(values) => self.elements("map", "values", *values),
            Kind::Fixed(_, size) => self.out.push_str(&format!(",\"size\":{size}}}")),
            Kind::Enum(_, list) => {
                self.out.push_str(",\"symbols\":");
                self.list(&list.symbols, |form, symbol| quote(&mut form.out, symbol));
                self.out.push('}');
            }
            Kind::Record(_, record) => {
                self.out.push_str(",\"fields\":");
                self.list(&record.fields, |form, field| {
                    form.out.push_str("{\"name\":");
                    quote(&mut form.out, &field.name);
                    form.out.push_str(",\"type\":");
                    form.any(field.kind);
                    form.out.push('}');
                });
                self.out.push('}');
            }
            Kind::Unresolved(_) => {}
        }
    }

    fn elements(&mut self, word: &str, of: &str, id: Id) {
        self.out.push_str(&format!("{{\"type\":\"{word}\",\"{of}\":"));
        self.any(id);
        self.out.push('}');
    }

    fn list<T>(&mut self, parts: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.out.push('[');
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            one(self, part);
        }
        self.out.push(']');
    }
}
