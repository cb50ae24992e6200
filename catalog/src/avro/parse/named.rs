//! Definitions: records, enums, fixed types.

use std::collections::HashSet;

use super::{At, ENUM, Parser, TYPE, properties};
use crate::avro::fault::Fault;
use crate::avro::json::{Json, Members};
use crate::avro::model::{Enum, Id, Kind, Named, Record};
use crate::avro::path::Trail;
use crate::avro::rules::{MOST_FIELDS, MOST_NAMED, MOST_SYMBOLS};

/// Bytes of a fixed type, as in Java: what an array can hold there.
const MOST_FIXED: i64 = 2_147_483_639;

impl Parser {
    pub(super) fn record(&mut self, members: &Members, at: At<'_>) -> Result<Id, Fault> {
        let named = self.head(members, at)?;
        let trail = self.trails.member(at.trail, "fields");
        let Some(Json::Array(written)) = members.get("fields") else {
            return Err(self.fault(trail, "缺少字段列表", "the list of fields is missing"));
        };
        self.fields += written.len();
        if self.fields > MOST_FIELDS {
            return Err(self.fault(
                trail,
                format!("字段超过 {MOST_FIELDS} 个"),
                format!("more than {MOST_FIELDS} fields"),
            ));
        }
        let mut fields = Vec::with_capacity(written.len());
        let mut names = HashSet::new();
        self.open.push(named.name.full());
        for (place, field) in written.iter().enumerate() {
            let trail = self.trails.element(trail, place);
            let within = At { space: named.name.space.as_deref(), trail, depth: at.depth };
            match self.field(field, within) {
                Ok(field) if names.insert(field.name.clone()) => fields.push(field),
                Ok(_) => {
                    let fault = self.fault(trail, "字段名重复", "the name of the field is there twice");
                    self.faults.add(fault);
                }
                Err(fault) => self.faults.add(fault),
            }
        }
        self.open.pop();
        let error = members.text("type") == Some("error");
        self.define(members, |named| Kind::Record(named, Record { fields, error }), named, &TYPE, at)
    }

    pub(super) fn enumeration(&mut self, members: &Members, at: At<'_>) -> Result<Id, Fault> {
        let named = self.head(members, at)?;
        let trail = self.trails.member(at.trail, "symbols");
        let Some(Json::Array(written)) = members.get("symbols") else {
            return Err(self.fault(trail, "缺少枚举值列表", "the list of symbols is missing"));
        };
        if written.len() > MOST_SYMBOLS {
            return Err(self.fault(
                trail,
                format!("枚举值超过 {MOST_SYMBOLS} 个"),
                format!("more than {MOST_SYMBOLS} symbols"),
            ));
        }
        let mut symbols = Vec::with_capacity(written.len());
        let mut seen = HashSet::new();
        for (place, symbol) in written.iter().enumerate() {
            let trail = self.trails.element(trail, place);
            let Some(symbol) = symbol.text() else {
                return Err(self.fault(trail, "枚举值应为文本", "a symbol is a text"));
            };
            self.part(symbol, trail)?;
            if !seen.insert(symbol) {
                return Err(self.fault(trail, "枚举值重复", "the symbol is there twice"));
            }
            symbols.push(symbol.to_owned());
        }
        let default = members.text("default").map(str::to_owned);
        if default.as_deref().is_some_and(|default| !seen.contains(default)) {
            let trail = self.trails.member(at.trail, "default");
            return Err(self.fault(trail, "默认值不在枚举值之中", "the default is none of the symbols"));
        }
        self.define(members, |named| Kind::Enum(named, Enum { symbols, default }), named, &ENUM, at)
    }

    pub(super) fn fixed(&mut self, members: &Members, at: At<'_>) -> Result<Id, Fault> {
        let named = self.head(members, at)?;
        let size = members.get("size").and_then(Json::whole).filter(|size| (0..=MOST_FIXED).contains(size));
        let Some(size) = size.and_then(|size| u32::try_from(size).ok()) else {
            let trail = self.trails.member(at.trail, "size");
            return Err(self.fault(
                trail,
                format!("字节数应为 0 至 {MOST_FIXED} 的整数"),
                format!("the size is a whole number from 0 to {MOST_FIXED}"),
            ));
        };
        self.define(members, |named| Kind::Fixed(named, size), named, &TYPE, at)
    }

    pub(super) fn taken(&mut self, trail: Trail) -> Fault {
        let trail = self.trails.member(trail, "name");
        self.fault(trail, "同名类型已另有定义", "another type of that name is defined")
    }

    /// The end of a definition: from here on its name stands for it.
    fn define(
        &mut self,
        members: &Members,
        kind: impl FnOnce(Named) -> Kind,
        named: Named,
        known: &[&str],
        at: At<'_>,
    ) -> Result<Id, Fault> {
        let full = named.name.full();
        let id = self.add(kind(named), properties(members, known), at);
        match self.names.get(&full) {
            // The same said twice is taken, as in Java; the name stays that of the first.
            Some(first) if self.equal(*first, id) => return Ok(id),
            Some(_) => return Err(self.taken(at.trail)),
            None => {}
        }
        if self.defined.len() == MOST_NAMED {
            return Err(self.fault(
                at.trail,
                format!("有名称的类型超过 {MOST_NAMED} 个"),
                format!("more than {MOST_NAMED} named types"),
            ));
        }
        self.names.insert(full, id);
        self.defined.push(id);
        Ok(id)
    }
}
