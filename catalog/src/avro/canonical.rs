//! The text that a registry keeps and answers: as Java's `Schema.toString` writes it. Minified; a named type in full
//! where it comes first, by its name later; docs, aliases, defaults and properties kept. (Not Avro's parsing form.)

use std::collections::HashSet;

use super::json::{Json, Members, quote, write};
use super::model::{Field, Id, Kind, Name, Named, Order, Record, Schema};

impl Schema {
    /// Types of the schemas it refers to by their names.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.written(self.references.iter().cloned().collect())
    }

    /// The same with everything it refers to written out.
    #[must_use]
    pub fn resolved(&self) -> String {
        self.written(HashSet::new())
    }

    fn written(&self, known: HashSet<String>) -> String {
        let mut writer = Writer { schema: self, known, out: String::new() };
        writer.any(self.top, None);
        writer.out
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    /// Full names of what stands further up.
    known: HashSet<String>,
    out: String,
}

impl Writer<'_> {
    /// Calls go as deep as the text that comes out, which the parser has bounded.
    fn any(&mut self, id: Id, space: Option<&str>) {
        let found = self.schema.of(id);
        if let Some(named) = found.kind.named()
            && !self.known.insert(named.name.full())
        {
            quote(&mut self.out, &named.name.within(space));
            return;
        }
        match &found.kind {
            Kind::Primitive(primitive) if found.properties.is_empty() => {
                quote(&mut self.out, primitive.word())
            }
            Kind::Union(branches) => self.list(branches, |writer, branch| writer.any(*branch, space)),
            _ => self.object(id, space),
        }
    }

    fn object(&mut self, id: Id, space: Option<&str>) {
        let found = self.schema.of(id);
        self.out.push_str("{\"type\":");
        let word = match &found.kind {
            Kind::Record(_, Record { error: true, .. }) => "error",
            kind => kind.word(),
        };
        quote(&mut self.out, word);
        if let Some(Named { name, doc, .. }) = found.kind.named() {
            self.name(name, space);
            self.text("doc", doc.as_deref());
        }
        match &found.kind {
            Kind::Array(items) => self.within("items", *items, space),
            Kind::Map(values) => self.within("values", *values, space),
            Kind::Fixed(_, size) => self.out.push_str(&format!(",\"size\":{size}")),
            Kind::Enum(_, list) => {
                self.out.push_str(",\"symbols\":");
                self.list(&list.symbols, |writer, symbol| quote(&mut writer.out, symbol));
                self.text("default", list.default.as_deref());
            }
            Kind::Record(named, record) => {
                self.out.push_str(",\"fields\":");
                self.list(&record.fields, |writer, field| writer.field(field, named.name.space.as_deref()));
            }
            Kind::Primitive(_) | Kind::Union(_) | Kind::Unresolved(_) => {}
        }
        self.properties(&found.properties);
        if let Some(named) = found.kind.named() {
            let space = named.name.space.as_deref();
            let aliases: Vec<_> = named.aliases.iter().map(|alias| alias.within(space)).collect();
            self.aliases(&aliases);
        }
        self.out.push('}');
    }

    fn field(&mut self, field: &Field, space: Option<&str>) {
        self.out.push_str("{\"name\":");
        quote(&mut self.out, &field.name);
        self.within("type", field.kind, space);
        self.text("doc", field.doc.as_deref());
        if let Some(default) = &field.default {
            self.member("default", default);
        }
        if field.order != Order::Ascending {
            self.text("order", Some(field.order.word()));
        }
        self.aliases(&field.aliases);
        self.properties(&field.properties);
        self.out.push('}');
    }

    fn name(&mut self, name: &Name, space: Option<&str>) {
        self.text("name", Some(&name.own));
        if name.space.as_deref() != space {
            self.text("namespace", Some(name.space.as_deref().unwrap_or_default()));
        }
    }

    fn within(&mut self, name: &str, id: Id, space: Option<&str>) {
        self.out.push_str(&format!(",\"{name}\":"));
        self.any(id, space);
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.out.push_str(&format!(",\"{name}\":"));
            quote(&mut self.out, text);
        }
    }

    fn member(&mut self, name: &str, value: &Json) {
        self.out.push(',');
        quote(&mut self.out, name);
        self.out.push(':');
        write(&mut self.out, value);
    }

    fn properties(&mut self, properties: &Members) {
        for (name, value) in properties.iter() {
            self.member(name, value);
        }
    }

    fn aliases(&mut self, aliases: &[String]) {
        if !aliases.is_empty() {
            self.out.push_str(",\"aliases\":");
            self.list(aliases, |writer, alias| quote(&mut writer.out, alias));
        }
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
