//! What a proposal breaks with each version of its generation: Avro's rules, the house's on what data mean, and what a
//! change of schema never brings along.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::past::Past;
use super::{Concerned, Proposal};
use crate::avro::{self, Rules, Schema};
use crate::compat::{self, Difference, Kind, Policy, Work};
use crate::error::{Code, Refusal, Text};
use crate::ports::SchemaVersion;
use crate::resource::{AvroType, Item};

/// By which rule something breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The new schema cannot read records of the earlier version.
    Backward,
    /// Readers that hold the earlier version cannot read new records.
    Forward,
    /// The same bytes mean something else.
    Meaning,
    /// What protects an item is loosened.
    Protection,
    /// A grant's own terms no longer fit.
    Grant,
}

/// One thing that breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The version that it breaks with.
    pub version: i32,
    /// The item and what is below it; nothing for the whole.
    pub path: String,
    pub rule: Rule,
    /// A word of a closed list (docs/compatibility.md).
    pub reason: String,
    pub text: Text,
    /// Of a union: why none of its branches takes what is written, each with its place.
    pub because: Vec<Text>,
}

impl Break {
    /// The item that it concerns.
    #[must_use]
    pub fn item(&self) -> &str {
        self.path.split(['.', '[', '{', '<']).next().unwrap_or_default()
    }

    pub(super) fn place(&self) -> &str {
        if self.path.is_empty() { "items" } else { &self.path }
    }

    /// For an answer: of a grant where it is that grant's alone.
    pub(super) fn to_value(&self, grant: Option<&Concerned>) -> Value {
        let Text { zh, en } = &self.text;
        let mut value = json!({
            "version": self.version, "path": self.path, "rule": self.rule, "reason": self.reason,
            "text": { "zh": zh, "en": en },
        });
        if !self.because.is_empty() {
            value["because"] =
                self.because.iter().map(|Text { zh, en }| json!({ "zh": zh, "en": en })).collect();
        }
        if let Some(grant) = grant {
            value["grant"] = grant.id.to_string().into();
        }
        value
    }
}

/// Bytes of what is told of all versions; what is left is counted.
const MOST_TOLD: usize = 4 << 20;
/// What the other members of a break take.
const OF_A_BREAK: usize = 100;

/// What was found.
#[derive(Default)]
pub(super) struct Breaks {
    pub found: Vec<Break>,
    /// Found beyond what can be told.
    pub omitted: usize,
    bytes: usize,
}

impl Breaks {
    pub fn one(found: Break) -> Self {
        let mut breaks = Self::default();
        breaks.add(found);
        breaks
    }

    fn add(&mut self, found: Break) {
        if self.bytes > MOST_TOLD {
            self.omitted += 1;
            return;
        }
        let text = |text: &Text| text.zh.len() + text.en.len();
        let because: usize = found.because.iter().map(text).sum();
        self.bytes += OF_A_BREAK + found.path.len() + text(&found.text) + because;
        self.found.push(found);
    }
}

/// Everything, newest version first, as far as there is work left to look.
pub(super) fn of(
    proposal: &Proposal<'_>,
    past: &Past<'_>,
    in_force: &SchemaVersion,
    new: &str,
    work: &mut Work,
) -> Result<Breaks, Refusal> {
    let mut breaks = Breaks::default();
    past.protection(in_force, proposal.items).into_iter().for_each(|found| breaks.add(found));
    past.shown_otherwise(proposal.items).into_iter().for_each(|found| breaks.add(found));
    if new == in_force.schema.text {
        return Ok(breaks);
    }
    work.take_text(new.len());
    let new = read(new, Rules::RESOURCE)?;
    for version in proposal.versions.iter().rev().take(proposal.level.most()) {
        work.take_text(version.schema.text.len());
        if !work.take(version.items.len() + proposal.items.len()) {
            breaks.add(too_complex(version.version, Rule::Meaning));
            break;
        }
        of_version(proposal, version, &new, work, &mut breaks)?;
    }
    Ok(breaks)
}

fn of_version(
    proposal: &Proposal<'_>,
    version: &SchemaVersion,
    new: &Schema,
    work: &mut Work,
    breaks: &mut Breaks,
) -> Result<(), Refusal> {
    let old = read(&version.schema.text, Rules::STORED)?;
    let mut found = Vec::new();
    if let Some(broken) = compat::breaks_with(new, &old, (proposal.level, Policy::House), work) {
        breaks.omitted += broken.omitted;
        let of_avro = |rule| move |found: Difference| of_avro(version.version, rule, found);
        found.extend(broken.backward.into_iter().map(of_avro(Rule::Backward)));
        found.extend(broken.forward.into_iter().map(of_avro(Rule::Forward)));
        found.extend(broken.house.into_iter().map(|change| Break {
            version: version.version,
            path: change.path,
            rule: Rule::Meaning,
            reason: change.meaning.word().to_owned(),
            text: change.text,
            because: Vec::new(),
        }));
    }
    let types = types(version, proposal.items, &found);
    found.into_iter().chain(types).for_each(|found| breaks.add(found));
    Ok(())
}

/// Items of another type that no other rule has found: Avro reads strings as bytes and bytes as strings, people do not.
fn types(version: &SchemaVersion, items: &[Item], found: &[Break]) -> Vec<Break> {
    let told: HashSet<&str> = found.iter().map(Break::item).collect();
    let earlier: HashMap<&str, &Item> = version.items.iter().map(|old| (old.name.as_str(), old)).collect();
    let changed = items.iter().filter(|new| {
        let other = new.names().filter_map(|name| earlier.get(name)).any(|old| is_other(old, new));
        other && !told.contains(new.name.as_str())
    });
    let told = |new: &Item| Break {
        version: version.version,
        path: new.name.clone(),
        rule: Rule::Meaning,
        reason: "type_changed".to_owned(),
        text: Text::new(
            "类型改变了:同样的字节含义不同",
            "its type is another: the same bytes mean something else",
        ),
        because: Vec::new(),
    };
    changed.map(told).collect()
}

/// What the measure of work did not reach counts as broken.
pub(super) fn too_complex(version: i32, rule: Rule) -> Break {
    let text = Text::new(
        "信息项、版本或授权过多,无法在限度内逐一核对,自此处起按不兼容处理;请减少信息项或一次变更的内容",
        "there are too many items, versions or grants to look at all of them within bounds, and from here on they count as \
         incompatible; use fewer items, or change fewer at a time",
    );
    let (path, reason) = (String::new(), "too_complex".to_owned());
    Break { version, path, rule, reason, text, because: Vec::new() }
}

/// Under one name nothing may change; of an item that comes under another one, numbers may widen.
fn is_other(old: &Item, new: &Item) -> bool {
    use AvroType::{Bytes, String};
    let texts = matches!((old.avro(), new.avro()), (String, Bytes) | (Bytes, String));
    if old.name == new.name { old.avro() != new.avro() } else { texts }
}

/// Our own texts are always read.
fn read(text: &str, rules: Rules) -> Result<Schema, Refusal> {
    avro::parse(text, rules)
        .map_err(|_| Refusal::new(Code::Internal, "存储的模式无法读取", "a stored schema cannot be read"))
}

fn of_avro(version: i32, rule: Rule, found: Difference) -> Break {
    let mut because = Vec::new();
    reasons(&found, &mut because);
    // Where a reader lacks a default, an owner of items thinks of the item, not of readers and defaults.
    let text = match (found.kind, rule) {
        (Kind::ReaderFieldMissingDefaultValue, Rule::Backward) => Text::new(
            "新增的信息项须可为空(nullable = true)或有默认值(default):已有的记录里没有它",
            "an added item must be nullable (nullable = true) or have a default: the records that are there lack it",
        ),
        (Kind::ReaderFieldMissingDefaultValue, _) => Text::new(
            "不可为空又没有默认值的信息项不能删除或改名:按旧模式读取的使用方需要它",
            "an item that is neither nullable nor has a default cannot be removed or renamed: readers of the earlier schema \
             need it",
        ),
        _ => found.text,
    };
    Break { version, path: found.reader, rule, reason: found.kind.word().to_lowercase(), text, because }
}

/// As deep as reasons are told. That no branch of a union takes a union's branch is told of the one and of the other in
/// the same words: once is enough.
fn reasons(of: &Difference, told: &mut Vec<Text>) {
    for reason in &of.because {
        if (&reason.reader, &reason.text) != (&of.reader, &of.text) {
            let Text { zh, en } = &reason.text;
            told.push(Text::new(format!("{}:{zh}", reason.reader), format!("{}: {en}", reason.reader)));
        }
        reasons(reason, told);
    }
}
