//! `normalize`: two texts that mean the same become one. Full names everywhere, members in one order (name, type,
//! symbols, size or fields, logical type with precision and scale, doc, sorted aliases, default, sorted properties), the
//! order of a field always said. Fields and branches stay in their order.

use std::collections::HashSet;

use super::json::{Json, Members, quote, write};
use super::logical::Logical;
use super::model::{Field, Id, Kind, Name, Named, Primitive, Schema, Type};

impl Schema {
    /// The normalised text. A registry reads it again and keeps the canonical form of that.
    #[must_use]
    pub fn normalized(&self) -> String {
        let known = self.references.iter().cloned().collect();
        let mut normal = Normal { schema: self, known, out: String::new() };
        normal.any(self.top());
        normal.out
    }
}

struct Normal<'a> {
    schema: &'a Schema,
    known: HashSet<String>,
    out: String,
}

impl Normal<'_> {
    /// Calls go as deep as the canonical text, which the parser has bounded.
    fn any(&mut self, id: Id) {
        let found = self.schema.of(id);
        if let Some(named) = found.kind.named()
            && !self.known.insert(named.name.full())
        {
            quote(&mut self.out, &named.name.full());
            return;
        }
        match &found.kind {
            Kind::Union(branches) => self.list(branches, |normal, branch| normal.any(*branch)),
            Kind::Primitive(primitive) if found.properties.is_empty() => {
                quote(&mut self.out, primitive.word())
            }
            _ => self.object(found),
        }
    }

    fn object(&mut self, found: &Type) {
        match found.kind.named() {
            Some(named) => {
                self.out.push_str("{\"name\":");
                quote(&mut self.out, &named.name.full());
                self.text("type", found.kind.word());
            }
            None => self.out.push_str(&format!("{{\"type\":\"{}\"", found.kind.word())),
        }
        match &found.kind {
            Kind::Array(items) => self.within("items", *items),
            Kind::Map(values) => self.within("values", *values),
            Kind::Fixed(_, size) => self.out.push_str(&format!(",\"size\":{size}")),
            Kind::Enum(_, list) => {
                self.out.push_str(",\"symbols\":");
                self.list(&list.symbols, |normal, symbol| quote(&mut normal.out, symbol));
            }
            Kind::Record(_, record) => {
                self.out.push_str(",\"fields\":");
                self.list(&record.fields, Self::field);
            }
            Kind::Primitive(_) | Kind::Union(_) | Kind::Unresolved(_) => {}
        }
        let said = self.logical(found);
        if let Some(named) = found.kind.named() {
            self.named(named);
        }
        if let Kind::Enum(_, list) = &found.kind
            && let Some(default) = &list.default
        {
            self.text("default", default);
        }
        self.properties(&found.properties, said);
        self.out.push('}');
    }

    /// The properties of a logical type that counts come first; their names.
    fn logical(&mut self, found: &Type) -> &'static [&'static str] {
        let Some(logical) = Logical::of(found) else { return &[] };
        self.text("logicalType", logical.word());
        match logical {
            Logical::Decimal { precision, scale: 0 } => {
                self.out.push_str(&format!(",\"precision\":{precision}"));
                &["logicalType", "precision"]
            }
            Logical::Decimal { precision, scale } => {
                self.out.push_str(&format!(",\"precision\":{precision},\"scale\":{scale}"));
                &["logicalType", "precision", "scale"]
            }
            _ => &["logicalType"],
        }
    }

    fn named(&mut self, named: &Named) {
        if let Some(doc) = named.doc.as_deref().filter(|doc| !doc.is_empty()) {
            self.text("doc", doc);
        }
        let full = |alias: &Name| match (&alias.space, &named.name.space) {
            // So that it is not read as one of the type's own namespace.
            (None, Some(_)) => format!(".{}", alias.own),
            _ => alias.full(),
        };
        self.aliases(named.aliases.iter().map(full).collect());
    }

    fn field(&mut self, field: &Field) {
        self.out.push_str("{\"name\":");
        quote(&mut self.out, &field.name);
        self.within("type", field.kind);
        self.text("order", &field.order.word().to_uppercase());
        if let Some(doc) = &field.doc {
            self.text("doc", doc);
        }
        self.aliases(field.aliases.clone());
        if let Some(default) = &field.default {
            self.member("default", &self.widened(field.kind, default));
        }
        self.properties(&field.properties, &[]);
        self.out.push('}');
    }

    /// A whole number as the default of a real one gets its point; the first branch decides in a union.
    fn widened(&self, kind: Id, default: &Json) -> Json {
        let kind = match self.schema.kind(kind) {
            Kind::Union(branches) => branches.first().map(|first| self.schema.kind(*first)),
            kind => Some(kind),
        };
        let number = match default {
            Json::Whole(digits) => digits.parse::<f64>().ok(),
            Json::Real(number) => Some(*number),
            _ => None,
        };
        match (kind, number) {
            (Some(Kind::Primitive(Primitive::Double)), Some(number)) => Json::Real(number),
            // Through the fewest digits that tell it from its neighbours.
            (Some(Kind::Primitive(Primitive::Float)), Some(number)) => {
                (number as f32).to_string().parse().map_or_else(|_| default.clone(), Json::Real)
            }
            _ => default.clone(),
        }
    }

    fn within(&mut self, name: &str, id: Id) {
        self.out.push_str(&format!(",\"{name}\":"));
        self.any(id);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.out.push_str(&format!(",\"{name}\":"));
        quote(&mut self.out, text);
    }

    fn aliases(&mut self, mut aliases: Vec<String>) {
        if aliases.is_empty() {
            return;
        }
        aliases.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        self.out.push_str(",\"aliases\":");
        self.list(&aliases, |normal, alias| quote(&mut normal.out, alias));
    }

    fn properties(&mut self, properties: &Members, said: &[&str]) {
        for (name, value) in sorted(properties) {
            if !said.contains(&name) {
                self.member(name, value);
            }
        }
    }

    fn member(&mut self, name: &str, value: &Json) {
        self.out.push(',');
        quote(&mut self.out, name);
        self.out.push(':');
        write(&mut self.out, &ordered(value));
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

/// By name, as Java compares texts.
fn sorted(members: &Members) -> Vec<(&str, &Json)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    sorted
}

/// With the members of every object by name.
fn ordered(value: &Json) -> Json {
    match value {
        Json::Array(values) => Json::Array(values.iter().map(ordered).collect()),
        Json::Object(members) => Json::Object(
            sorted(members).into_iter().map(|(name, value)| (name.to_owned(), ordered(value))).collect(),
        ),
        value => value.clone(),
    }
}
