//! What a type and its field say beyond Avro's types, compared.

use std::collections::{HashMap, HashSet};

use super::Meaning;
use crate::avro::json::Json;
use crate::avro::{Field, Id, Kind, Logical, Schema, Type};
use crate::error::Text;

/// What is said of a type: by its logical type, its properties, those of the field it is the type of.
pub(super) struct Said<'a> {
    logical: Option<Logical>,
    word: &'static str,
    type_: &'a Type,
    field: Option<&'a Field>,
}

impl<'a> Said<'a> {
    pub fn new(schema: &'a Schema, id: Id, field: Option<&'a Field>) -> Self {
        let type_ = schema.of(id);
        Self { logical: schema.logical(id), word: type_.kind.word(), type_, field }
    }

    fn property(&self, name: &str) -> Option<&'a Json> {
        let of_field = self.field.and_then(|field| field.properties.get(name));
        of_field.or_else(|| self.type_.properties.get(name))
    }

    /// Values and members that are looked at to compare it.
    pub fn cost(&self) -> usize {
        let values = match self.property("values") {
            Some(Json::Array(values)) => {
                let others = values.iter().filter(|value| !is_plain(value)).count();
                values.len().saturating_add(others.saturating_mul(others))
            }
            Some(Json::Object(members)) => members.len(),
            _ => 0,
        };
        let of_field = self.field.map_or(0, |field| field.properties.len());
        values.saturating_add(self.type_.properties.len() + of_field)
    }

    fn shown(&self) -> &'static str {
        self.logical.map_or(self.word, Logical::word)
    }
}

type Found = Vec<(Meaning, Text)>;

pub(super) fn logical_types(was: &Said<'_>, now: &Said<'_>) -> Found {
    let plain =
        |said: &Said<'_>| !matches!(said.type_.kind, Kind::Record(..) | Kind::Array(_) | Kind::Map(_));
    match (was.logical, now.logical) {
        (old, new) if old == new || !plain(was) || !plain(now) => Vec::new(),
        (
            Some(Logical::Decimal { precision: old, scale: old_scale }),
            Some(Logical::Decimal { precision: new, scale: new_scale }),
        ) => {
            let mut found = Vec::new();
            if old != new {
                found.push((
                    Meaning::DecimalPrecision,
                    Text::new(
                        format!("十进制数的总位数由 {old} 改为 {new};已有数据和使用方按原位数处理"),
                        format!(
                            "the decimal's precision changes from {old} to {new}, which its readers rely on"
                        ),
                    ),
                ));
            }
            if old_scale != new_scale {
                found.push((
                    Meaning::DecimalScale,
                    Text::new(
                        format!("十进制数的小数位由 {old_scale} 改为 {new_scale};同样的字节会读成另一个金额"),
                        format!("the decimal's scale changes from {old_scale} to {new_scale}: the same bytes become another amount"),
                    ),
                ));
            }
            found
        }
        (Some(Logical::Date), _) | (_, Some(Logical::Date)) => vec![(
            Meaning::Date,
            Text::new(
                format!("由 {} 改为 {};同样的数不再表示同一日期", was.shown(), now.shown()),
                format!(
                    "{} becomes {}: the same number is no longer the same date",
                    was.shown(),
                    now.shown()
                ),
            ),
        )],
        (Some(old), Some(new)) if old.clock().is_some() && old.clock() == new.clock() => vec![(
            Meaning::TimestampUnit,
            Text::new(
                format!("时间单位由 {} 改为 {};同样的数会读成另一时刻", old.word(), new.word()),
                format!("{} becomes {}: the same number is another moment", old.word(), new.word()),
            ),
        )],
        _ => vec![(
            Meaning::LogicalType,
            Text::new(
                format!("由 {} 改为 {};含义随之改变", was.shown(), now.shown()),
                format!("{} becomes {}, which means something else", was.shown(), now.shown()),
            ),
        )],
    }
}

pub(super) fn units(was: &Said<'_>, now: &Said<'_>) -> Found {
    let (Some(old), new) = (was.property("unit"), now.property("unit")) else { return Vec::new() };
    if new == Some(old) {
        return Vec::new();
    }
    let (old, new) = (shown(old), new.map_or_else(|| "—".to_owned(), shown));
    vec![(
        Meaning::Unit,
        Text::new(
            format!("计量单位由“{old}”改为“{new}”;同样的数表示另一个量"),
            format!("the unit changes from {old} to {new}: the same number is another quantity"),
        ),
    )]
}

/// A list may grow; a value gone or with another meaning, a list gone or come, change what a value says.
pub(super) fn code_lists(was: &Said<'_>, now: &Said<'_>) -> Found {
    let mut found = Vec::new();
    if let Some(old) = was.property("code_list")
        && now.property("code_list") != Some(old)
    {
        let new = now.property("code_list").map_or_else(|| "—".to_owned(), shown);
        let old = shown(old);
        found.push((
            Meaning::CodeList,
            Text::new(
                format!("码表由“{old}”改为“{new}”;同样的代码可能另有所指"),
                format!("the code list changes from {old} to {new}: the same code may mean something else"),
            ),
        ));
    }
    let lost = match (was.property("values"), now.property("values")) {
        (None, None) => return found,
        (None, Some(_)) => {
            found.push((
                Meaning::CodeList,
                Text::new(
                    "新增了允许值列表;已有数据可能不在其中",
                    "values are listed where any was allowed; data that exist may be outside",
                ),
            ));
            return found;
        }
        (Some(_), None) => {
            found.push((
                Meaning::CodeList,
                Text::new(
                    "不再有允许值列表;使用方依赖它",
                    "the list of values is gone, which readers rely on",
                ),
            ));
            return found;
        }
        (Some(old), Some(new)) => lost(old, new),
    };
    if !lost.is_empty() {
        let (zh, en) = match lost.len().saturating_sub(MOST_LOST) {
            0 => (String::new(), String::new()),
            more => (format!("等 {} 个", lost.len()), format!(" and {more} more")),
        };
        let named = &lost[..lost.len().min(MOST_LOST)];
        found.push((
            Meaning::CodeList,
            Text::new(
                format!("允许值 {}{zh}已去掉或含义改变;已有数据仍会含有它们", named.join("、")),
                format!(
                    "the values {}{en} are gone or mean something else; data that exist hold them",
                    named.join(", ")
                ),
            ),
        ));
    }
    found
}

/// Values that are named; what is more is counted.
const MOST_LOST: usize = 20;

/// Values of the old list that the new one lacks, or gives another meaning.
fn lost(old: &Json, new: &Json) -> Vec<String> {
    match (old, new) {
        (Json::Array(old), Json::Array(new)) => {
            let (plain, others): (Vec<&Json>, Vec<&Json>) = new.iter().partition(|value| is_plain(value));
            let known: HashSet<(bool, &str)> = plain.into_iter().filter_map(plainly).collect();
            let gone = old.iter().filter(|value| match plainly(value) {
                Some(value) => !known.contains(&value),
                None => !others.contains(value),
            });
            gone.map(shown).collect()
        }
        (Json::Object(old), Json::Object(new)) => {
            let known: HashMap<&str, &Json> = new.iter().collect();
            let gone = old.iter().filter(|(code, meaning)| known.get(code) != Some(meaning));
            gone.map(|(code, _)| cut(code.to_owned())).collect()
        }
        (old, new) if old == new => Vec::new(),
        (old, _) => vec![shown(old)],
    }
}

/// A text, or a whole number by its digits: what values are. Other JSON is looked for in all of the list.
fn plainly(value: &Json) -> Option<(bool, &str)> {
    match value {
        Json::Text(text) => Some((true, text)),
        Json::Whole(digits) => Some((false, digits)),
        _ => None,
    }
}

fn is_plain(value: &Json) -> bool {
    plainly(value).is_some()
}

/// As people read it, cut where it is long.
fn shown(value: &Json) -> String {
    cut(match value {
        Json::Text(text) => text.clone(),
        value => value.to_string(),
    })
}

fn cut(text: String) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
}
