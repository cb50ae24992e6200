//! From a text to a schema, taking what Java's parser (Avro 1.12) takes, within limits (`rules.rs`). A text is nested
//! as deep as its types, so the calls here are bounded by `MOST_DEPTH`; whatever follows names instead of nesting walks
//! a list.

mod default;
mod equal;
mod field;
mod named;
mod names;
mod resolve;
mod shape;

use std::cell::Cell;
use std::collections::HashMap;

use self::resolve::Progress;
use super::fault::{Fault, Faults};
use super::json::{self, Json, Members};
use super::model::{Id, Kind, Primitive, Schema, Type};
use super::path::{Trail, Trails};
use super::rules::{MOST_BRANCHES, MOST_BYTES, MOST_DEPTH, Rules};

/// Reads a schema that names only its own types.
pub fn parse(text: &str, rules: Rules) -> Result<Schema, Faults> {
    parse_with(text, &[], rules)
}

/// Reads a schema that may name the types of others: `references` in their order, each of which may name those before.
pub fn parse_with(text: &str, references: &[&str], rules: Rules) -> Result<Schema, Faults> {
    let mut parser = Parser {
        rules,
        types: Vec::new(),
        trails: Trails::default(),
        names: HashMap::new(),
        defined: Vec::new(),
        open: Vec::new(),
        fields: 0,
        progress: Progress::default(),
        questions: Cell::new(0),
        faults: Faults::default(),
    };
    let mut names = Vec::new();
    for reference in references {
        let top = parser.text(reference)?;
        names.extend(parser.types[top.0].kind.named().map(|named| named.name.full()));
    }
    let top = parser.text(text)?;
    parser.check_written(top)?;
    Ok(Schema { types: parser.types, trails: parser.trails, top, references: names })
}

/// Where in the text.
#[derive(Clone, Copy)]
struct At<'a> {
    /// Of the names without a dot.
    space: Option<&'a str>,
    trail: Trail,
    depth: usize,
}

impl At<'_> {
    fn below(self, trail: Trail) -> Self {
        Self { trail, depth: self.depth + 1, ..self }
    }
}

struct Parser {
    rules: Rules,
    types: Vec<Type>,
    trails: Trails,
    /// Types that are defined: a type is its own name's only once its definition is at its end.
    names: HashMap<String, Id>,
    /// The same in the order of the ends of their definitions.
    defined: Vec<Id>,
    /// Full names of the records around.
    open: Vec<String>,
    fields: usize,
    /// What is resolved, of this text and of those it refers to.
    progress: Progress,
    /// What was asked of defaults.
    questions: Cell<usize>,
    faults: Faults,
}

impl Parser {
    /// One text, resolved and checked.
    fn text(&mut self, text: &str) -> Result<Id, Faults> {
        match self.top(text) {
            Ok(top) if self.faults.none() => return Ok(top),
            Ok(_) => {}
            Err(fault) => self.faults.add(fault),
        }
        Err(std::mem::take(&mut self.faults))
    }

    fn top(&mut self, text: &str) -> Result<Id, Fault> {
        if text.len() > MOST_BYTES {
            return Err(self.fault(
                Trails::TOP,
                format!("模式有 {} 字节,至多 {MOST_BYTES}", text.len()),
                format!("the schema has {} bytes, at most {MOST_BYTES}", text.len()),
            ));
        }
        let json = json::read(text).map_err(|wrong| {
            let (line, column) = position(text, wrong.at);
            self.fault(
                Trails::TOP,
                format!("第 {line} 行第 {column} 列:{}", wrong.zh),
                format!("line {line}, column {column}: {}", wrong.en),
            )
        })?;
        let top = self.any(&json, At { space: None, trail: Trails::TOP, depth: 1 })?;
        if self.faults.none() { self.resolve(top) } else { Ok(top) }
    }

    fn any(&mut self, json: &Json, at: At<'_>) -> Result<Id, Fault> {
        if at.depth > MOST_DEPTH {
            return Err(self.too_deep(at.trail));
        }
        match json {
            Json::Text(name) => Ok(self.find(name, at)),
            Json::Object(members) => self.object(members, at),
            Json::Array(branches) => self.union(branches, at),
            _ => Err(self.fault(
                at.trail,
                "此处应为类型:名称、对象或联合类型的数组",
                "a type stands here: a name, an object, or the array of a union",
            )),
        }
    }

    fn object(&mut self, members: &Members, at: At<'_>) -> Result<Id, Fault> {
        let Some(word) = members.text("type") else {
            return Err(self.fault(
                at.trail,
                "类型对象缺少 \"type\",或其值不是文本",
                "the object of a type has no \"type\", or it is no text",
            ));
        };
        match word {
            "record" | "error" => self.record(members, at),
            "enum" => self.enumeration(members, at),
            "fixed" => self.fixed(members, at),
            "array" => self.elements(members, "items", Kind::Array, at),
            "map" => self.elements(members, "values", Kind::Map, at),
            word => match Primitive::of(word) {
                Some(primitive) => Ok(self.add(Kind::Primitive(primitive), properties(members, &TYPE), at)),
                None => Ok(self.find(word, at)),
            },
        }
    }

    fn elements(
        &mut self,
        members: &Members,
        of: &'static str,
        kind: fn(Id) -> Kind,
        at: At<'_>,
    ) -> Result<Id, Fault> {
        let trail = self.trails.member(at.trail, of);
        let Some(within) = members.get(of) else {
            return Err(self.fault(trail, format!("缺少 \"{of}\""), format!("\"{of}\" is missing")));
        };
        let within = self.any(within, at.below(trail))?;
        Ok(self.add(kind(within), properties(members, &TYPE), at))
    }

    fn union(&mut self, branches: &[Json], at: At<'_>) -> Result<Id, Fault> {
        if branches.len() > MOST_BRANCHES {
            return Err(self.fault(
                at.trail,
                format!("联合类型的分支超过 {MOST_BRANCHES} 个"),
                format!("a union of more than {MOST_BRANCHES} branches"),
            ));
        }
        let mut ids = Vec::with_capacity(branches.len());
        for (place, branch) in branches.iter().enumerate() {
            let trail = self.trails.element(at.trail, place);
            match self.any(branch, at.below(trail)) {
                Ok(id) if matches!(self.types[id.0].kind, Kind::Union(_)) => {
                    let fault =
                        self.fault(trail, "联合类型不得直接嵌套", "a union may not hold a union directly");
                    self.faults.add(fault);
                }
                Ok(id) => ids.push(id),
                Err(fault) => self.faults.add(fault),
            }
        }
        Ok(self.add(Kind::Union(ids), Members::default(), at))
    }

    /// A type that a name stands for: Avro's own, one defined before, or one that may be defined later.
    fn find(&mut self, name: &str, at: At<'_>) -> Id {
        if let Some(primitive) = Primitive::of(name) {
            return self.add(Kind::Primitive(primitive), Members::default(), at);
        }
        let full = match at.space {
            Some(space) if !name.contains('.') => format!("{space}.{name}"),
            _ => name.to_owned(),
        };
        match self.names.get(&full).or_else(|| self.names.get(name)) {
            Some(id) => *id,
            None => self.add(Kind::Unresolved(full), Members::default(), at),
        }
    }

    fn add(&mut self, kind: Kind, properties: Members, at: At<'_>) -> Id {
        self.types.push(Type { kind, properties, trail: at.trail });
        Id(self.types.len() - 1)
    }

    fn too_deep(&self, trail: Trail) -> Fault {
        self.fault(
            trail,
            format!("类型嵌套超过 {MOST_DEPTH} 层"),
            format!("types nested more than {MOST_DEPTH} deep"),
        )
    }

    fn fault(&self, trail: Trail, zh: impl Into<String>, en: impl Into<String>) -> Fault {
        Fault::new(self.trails.text(trail), zh, en)
    }
}

/// Members of a type, of an enum and of a field that Avro gives a meaning.
const TYPE: [&str; 10] =
    ["doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"];
const ENUM: [&str; 11] = [
    "doc",
    "fields",
    "items",
    "name",
    "namespace",
    "size",
    "symbols",
    "values",
    "type",
    "aliases",
    "default",
];
const FIELD: [&str; 6] = ["default", "doc", "name", "order", "type", "aliases"];

/// The members that are left.
fn properties(members: &Members, known: &[&str]) -> Members {
    let others = members.iter().filter(|(name, _)| !known.contains(name));
    others.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// Line and column of a byte, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}
