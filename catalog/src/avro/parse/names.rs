//! Names: how one is put together, and which are Avro's.

use super::{At, Parser};
use crate::avro::fault::Fault;
use crate::avro::json::{Json, Members};
use crate::avro::model::{Name, Named, Primitive};
use crate::avro::path::Trail;
use crate::avro::rules::{MOST_ALIASES, MOST_NAME};

impl Parser {
    /// Name, doc and aliases of a definition.
    pub(super) fn head(&mut self, members: &Members, at: At<'_>) -> Result<Named, Fault> {
        let trail = self.trails.member(at.trail, "name");
        let Some(name) = members.text("name") else {
            return Err(self.fault(trail, "缺少名称,或名称不是文本", "the name is missing or is no text"));
        };
        let name = self.name(name, members.text("namespace").or(at.space), trail)?;
        if Primitive::of(&name.full()).is_some() {
            return Err(self.fault(
                trail,
                "类型不得以 Avro 自有的类型命名",
                "a type may not have the name of one of Avro's",
            ));
        }
        self.short(&name.full(), trail)?;
        // A record around it of that name will be another type.
        if self.open.contains(&name.full()) {
            return Err(self.taken(at.trail));
        }
        for part in name.space.iter().flat_map(|space| space.split('.')) {
            self.part(part, trail)?;
        }
        let mut aliases: Vec<Name> = Vec::new();
        for alias in self.aliases(members, at.trail)? {
            let trail = self.trails.member(at.trail, "aliases");
            let alias = self.name(&alias, name.space.as_deref(), trail)?;
            self.short(&alias.full(), trail)?;
            if !aliases.contains(&alias) {
                aliases.push(alias);
            }
        }
        Ok(Named { name, doc: members.text("doc").map(str::to_owned), aliases })
    }

    /// A name with a dot has its own namespace; an empty one is none. Only the last part is judged here, as in Java.
    fn name(&self, name: &str, space: Option<&str>, trail: Trail) -> Result<Name, Fault> {
        let (space, own) = match name.rsplit_once('.') {
            Some((space, own)) => (Some(space), own),
            None => (space, name),
        };
        self.part(own, trail)?;
        Ok(Name { own: own.to_owned(), space: space.filter(|space| !space.is_empty()).map(str::to_owned) })
    }

    /// `[A-Za-z_][A-Za-z0-9_]*`
    pub(super) fn part(&self, part: &str, trail: Trail) -> Result<(), Fault> {
        let mut bytes = part.bytes();
        let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !self.rules.names || (begins && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
            return Ok(());
        }
        let shown = part.chars().take(40).collect::<String>().escape_debug().to_string();
        Err(self.fault(
            trail,
            format!("名称“{shown}”应以字母或下划线开头,只含字母、数字、下划线"),
            format!(
                "the name \"{shown}\" does not begin with a letter or _ and go on with letters, digits and _"
            ),
        ))
    }

    /// A name is written at each of its uses.
    pub(super) fn short(&self, name: &str, trail: Trail) -> Result<(), Fault> {
        if name.len() <= MOST_NAME {
            return Ok(());
        }
        Err(self.fault(
            trail,
            format!("名称超过 {MOST_NAME} 字节"),
            format!("a name of more than {MOST_NAME} bytes"),
        ))
    }

    /// The aliases of a definition or a field, as written, each once.
    pub(super) fn aliases(&mut self, members: &Members, trail: Trail) -> Result<Vec<String>, Fault> {
        let trail = self.trails.member(trail, "aliases");
        let written = match members.get("aliases") {
            None => return Ok(Vec::new()),
            Some(Json::Array(written)) => written,
            Some(_) => return Err(self.fault(trail, "别名应为数组", "aliases are an array")),
        };
        if written.len() > MOST_ALIASES {
            return Err(self.fault(
                trail,
                format!("别名超过 {MOST_ALIASES} 个"),
                format!("more than {MOST_ALIASES} aliases"),
            ));
        }
        let mut aliases: Vec<String> = Vec::new();
        for (place, alias) in written.iter().enumerate() {
            let Some(alias) = alias.text() else {
                let trail = self.trails.element(trail, place);
                return Err(self.fault(trail, "别名应为文本", "an alias is a text"));
            };
            if !aliases.iter().any(|known| known == alias) {
                aliases.push(alias.to_owned());
            }
        }
        Ok(aliases)
    }
}
