//! A foreign schema's text, read within limits (trust.md 3.2, case 3): size, depth, fields, symbols, names; a type that
//! holds itself is refused. The text is taken apart level by level, so its nesting costs no stack.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use changtong_catalog::error::{Code, Refusal};
use serde_json::value::RawValue;

use super::schema::{Id, Meaning, Record, Schema, Shape, Type};

/// Bytes of a foreign schema's text.
pub(super) const MOST_BYTES: usize = 256 << 10;
/// Types below each other.
pub(super) const MOST_DEPTH: usize = 32;
/// Fields of all records, those of named types counted at each use.
pub(super) const MOST_FIELDS: usize = 2000;
/// Symbols of one enum.
pub(super) const MOST_SYMBOLS: usize = 10_000;

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

pub(super) fn parse(text: &[u8]) -> Result<Schema, Refusal> {
    if text.len() > MOST_BYTES {
        return Err(rejected(
            "",
            format!("文件的模式有 {} 字节,至多 {MOST_BYTES}", text.len()),
            format!("the file's schema has {} bytes, at most {MOST_BYTES} are taken", text.len()),
        ));
    }
    let raw: &RawValue = serde_json::from_slice(text).map_err(|_| not_json(""))?;
    let mut parser = Parser { types: Vec::new(), shapes: Vec::new(), names: HashMap::new() };
    let top = parser.any(raw, &At { path: "", namespace: "", depth: 1 })?;
    Ok(Schema { types: parser.types, shapes: parser.shapes, top })
}

/// Where in the text.
struct At<'a> {
    path: &'a str,
    /// Of the names without a dot.
    namespace: &'a str,
    depth: usize,
}

struct Parser {
    types: Vec<Type>,
    shapes: Vec<Shape>,
    /// Named types; `None` while its definition is not at its end.
    names: HashMap<String, Option<Id>>,
}

impl Parser {
    fn any(&mut self, raw: &RawValue, at: &At<'_>) -> Result<Id, Refusal> {
        if at.depth > MOST_DEPTH {
            return Err(too_deep(at.path));
        }
        match raw.get().as_bytes().first() {
            Some(b'"') => self.named(&text(raw, at.path)?, at),
            Some(b'[') => self.union(raw, at),
            Some(b'{') => self.object(raw, at),
            _ => Err(not_a_type(at.path)),
        }
    }

    /// A primitive type, or one defined before.
    fn named(&mut self, name: &str, at: &At<'_>) -> Result<Id, Refusal> {
        if let Some(primitive) = primitive(name, Meaning::Plain) {
            return self.add(primitive, &[], at);
        }
        let full = full_name(name, at.namespace);
        match self.names.get(&full).or_else(|| self.names.get(name)) {
            Some(Some(id)) if at.depth + self.shapes[*id].height > MOST_DEPTH + 1 => Err(too_deep(at.path)),
            Some(Some(id)) => Ok(*id),
            Some(None) => Err(rejected(
                at.path,
                "类型包含自身;不接受递归模式",
                "the type holds itself; recursive schemas are not taken",
            )),
            None => Err(not_a_type(at.path)),
        }
    }

    fn union(&mut self, raw: &RawValue, at: &At<'_>) -> Result<Id, Refusal> {
        let raws: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| not_json(at.path))?;
        if raws.len() > MOST_FIELDS {
            return Err(too_many(at.path, MOST_FIELDS));
        }
        let mut branches = Vec::with_capacity(raws.len());
        for (place, raw) in raws.into_iter().enumerate() {
            let path = format!("{}[{place}]", at.path);
            let id = self.any(raw, &At { path: &path, depth: at.depth + 1, ..*at })?;
            if matches!(self.types[id], Type::Union(_)) {
                return Err(rejected(&path, "联合类型不得直接嵌套", "a union may not hold a union directly"));
            }
            branches.push(id);
        }
        if branches.is_empty() {
            return Err(rejected(at.path, "联合类型没有分支", "the union has no branch"));
        }
        let children = branches.clone();
        self.add(Type::Union(branches), &children, at)
    }

    fn object(&mut self, raw: &RawValue, at: &At<'_>) -> Result<Id, Refusal> {
        let members: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| not_json(at.path))?;
        let Some(kind) = members.get("type") else { return Err(not_a_type(at.path)) };
        if !kind.get().starts_with('"') {
            let path = format!("{}.type", at.path);
            return self.any(kind, &At { path: &path, depth: at.depth + 1, ..*at });
        }
        let kind = text(kind, at.path)?;
        match &*kind {
            "array" | "map" => self.elements(&members, &kind, at),
            "record" => self.record(&members, at),
            "enum" => self.enumeration(&members, at),
            "fixed" => self.fixed(&members, at),
            name => match primitive(name, meaning(&members, name)) {
                Some(found) => self.add(found, &[], at),
                None => self.named(name, at),
            },
        }
    }

    fn elements(&mut self, members: &Members<'_>, kind: &str, at: &At<'_>) -> Result<Id, Refusal> {
        let of = if kind == "array" { "items" } else { "values" };
        let path = format!("{}.{of}", at.path);
        let raw = members.get(of).ok_or_else(|| not_a_type(&path))?;
        let id = self.any(raw, &At { path: &path, depth: at.depth + 1, ..*at })?;
        self.add(if kind == "array" { Type::Array(id) } else { Type::Map(id) }, &[id], at)
    }

    fn record(&mut self, members: &Members<'_>, at: &At<'_>) -> Result<Id, Refusal> {
        let (full, namespace) = self.define(members, at)?;
        let path = format!("{}.fields", at.path);
        let raws: Vec<&RawValue> = members
            .get("fields")
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .ok_or_else(|| not_a_type(&path))?;
        if raws.len() > MOST_FIELDS {
            return Err(too_many(&path, MOST_FIELDS));
        }
        let mut fields: Vec<(String, Id)> = Vec::with_capacity(raws.len());
        let mut seen = HashSet::new();
        for (place, raw) in raws.into_iter().enumerate() {
            let path = format!("{path}[{place}]");
            let field: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| not_a_type(&path))?;
            let name = name(&field, &path)?;
            if !seen.insert(name.clone()) {
                return Err(rejected(&path, "字段名重复", "the name of the field is there twice"));
            }
            let path = format!("{path}.type");
            let raw = field.get("type").ok_or_else(|| not_a_type(&path))?;
            let id = self.any(raw, &At { path: &path, namespace: &namespace, depth: at.depth + 1 })?;
            fields.push((name, id));
        }
        let children: Vec<Id> = fields.iter().map(|(_, id)| *id).collect();
        let walked = children.iter().copied().filter(|id| !self.shapes[*id].empty).collect();
        let id = self.add(Type::Record(Record { fields, walked }), &children, at)?;
        self.names.insert(full, Some(id));
        Ok(id)
    }

    fn enumeration(&mut self, members: &Members<'_>, at: &At<'_>) -> Result<Id, Refusal> {
        let (full, _) = self.define(members, at)?;
        let path = format!("{}.symbols", at.path);
        let raws: Vec<&RawValue> = members
            .get("symbols")
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .ok_or_else(|| not_a_type(&path))?;
        if raws.len() > MOST_SYMBOLS {
            return Err(too_many(&path, MOST_SYMBOLS));
        }
        let mut symbols = Vec::with_capacity(raws.len());
        for (place, raw) in raws.into_iter().enumerate() {
            let path = format!("{path}[{place}]");
            let symbol = text(raw, &path)?.into_owned();
            if !is_name(&symbol) {
                return Err(bad_name(&path));
            }
            symbols.push(symbol);
        }
        let id = self.add(Type::Enum(symbols), &[], at)?;
        self.names.insert(full, Some(id));
        Ok(id)
    }

    fn fixed(&mut self, members: &Members<'_>, at: &At<'_>) -> Result<Id, Refusal> {
        let (full, _) = self.define(members, at)?;
        let size = members.get("size").and_then(|raw| raw.get().parse::<u64>().ok());
        let size = size.ok_or_else(|| not_a_type(&format!("{}.size", at.path)))?;
        let id = self.add(Type::Fixed(size, meaning(members, "fixed")), &[], at)?;
        self.names.insert(full, Some(id));
        Ok(id)
    }

    /// Takes the name of a definition that begins; its full name and the namespace within it.
    fn define(&mut self, members: &Members<'_>, at: &At<'_>) -> Result<(String, String), Refusal> {
        let path = format!("{}.name", at.path);
        let raw = members.get("name").ok_or_else(|| bad_name(&path))?;
        let name = text(raw, &path)?;
        let own = members.get("namespace").map(|raw| text(raw, at.path)).transpose()?;
        let full = full_name(&name, own.as_deref().unwrap_or(at.namespace));
        if !full.split('.').all(is_name) || primitive(&full, Meaning::Plain).is_some() {
            return Err(bad_name(&path));
        }
        if self.names.insert(full.clone(), None).is_some() {
            return Err(rejected(&path, "类型名重复定义", "the type is defined twice"));
        }
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        Ok((full, namespace))
    }

    fn add(&mut self, kind: Type, children: &[Id], at: &At<'_>) -> Result<Id, Refusal> {
        let mut shape = Shape::default();
        for child in children.iter().map(|id| self.shapes[*id]) {
            shape.height = shape.height.max(child.height);
            shape.fields = shape.fields.saturating_add(child.fields);
        }
        shape.height += 1;
        shape.empty = match &kind {
            Type::Null | Type::Fixed(0, _) => true,
            Type::Record(record) => record.walked.is_empty(),
            _ => false,
        };
        if let Type::Record(record) = &kind {
            shape.fields = shape.fields.saturating_add(record.fields.len());
        }
        if shape.fields > MOST_FIELDS {
            return Err(too_many(at.path, MOST_FIELDS));
        }
        self.types.push(kind);
        self.shapes.push(shape);
        Ok(self.types.len() - 1)
    }
}

fn primitive(name: &str, meaning: Meaning) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(meaning),
        "long" => Type::Long(meaning),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes(meaning),
        "string" => Type::String,
        _ => return None,
    })
}

fn meaning(members: &Members<'_>, base: &str) -> Meaning {
    let word =
        members.get("logicalType").and_then(|raw| serde_json::from_str::<Cow<'_, str>>(raw.get()).ok());
    let Some(word) = word else { return Meaning::Plain };
    if word == "decimal" && matches!(base, "bytes" | "fixed") {
        let number = |name: &str| members.get(name).and_then(|raw| raw.get().parse::<u32>().ok());
        let scale = number("scale").or(if members.contains_key("scale") { None } else { Some(0) });
        // One that is not valid in itself means nothing (Avro 1.12, "Decimal").
        return match (number("precision"), scale) {
            (Some(precision), Some(scale)) if precision > 0 && scale <= precision => {
                Meaning::Decimal { scale }
            }
            _ => Meaning::Plain,
        };
    }
    Meaning::of(base, &word)
}

fn text<'a>(raw: &'a RawValue, path: &str) -> Result<Cow<'a, str>, Refusal> {
    serde_json::from_str::<String>(raw.get()).map(Cow::Owned).map_err(|_| not_a_type(path))
}

fn name(members: &Members<'_>, path: &str) -> Result<String, Refusal> {
    let path = format!("{path}.name");
    let name = members.get("name").ok_or_else(|| bad_name(&path)).and_then(|raw| text(raw, &path))?;
    if is_name(&name) { Ok(name.into_owned()) } else { Err(bad_name(&path)) }
}

/// `[A-Za-z_][A-Za-z0-9_]*`
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

pub(super) fn rejected(path: &str, zh: impl AsRef<str>, en: impl AsRef<str>) -> Refusal {
    Refusal::new(
        Code::SchemaRejected,
        format!("文件的模式不被接受:{}", zh.as_ref()),
        format!("the file's schema is not taken: {}", en.as_ref()),
    )
    .with("path", path.trim_start_matches('.'))
}

fn not_json(path: &str) -> Refusal {
    rejected(path, "不是合法的 JSON", "not valid JSON")
}

fn not_a_type(path: &str) -> Refusal {
    rejected(path, "此处不是合法的 Avro 类型", "what stands here is no Avro type")
}

fn bad_name(path: &str) -> Refusal {
    rejected(
        path,
        "名称缺失或有误:应为字母或下划线开头,只含字母、数字、下划线",
        "a name is missing or malformed: a letter or underscore first, then letters, digits, underscores",
    )
}

fn too_deep(path: &str) -> Refusal {
    rejected(path, format!("嵌套超过 {MOST_DEPTH} 层"), format!("nested more than {MOST_DEPTH} deep"))
}

fn too_many(path: &str, most: usize) -> Refusal {
    rejected(
        path,
        format!("字段或取值超过 {most} 个"),
        format!("more than {most} fields, branches or symbols"),
    )
}
