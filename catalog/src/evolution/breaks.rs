//! What a proposal breaks with each version of its generation: Avro's rules, the house's on what data mean, and what a
//! change of schema never brings along.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Concerned, Proposal};
use crate::avro::{self, Rules, Schema};
use crate::compat::{self, Difference, Kind, Policy};
use crate::error::{Code, Refusal, Text};
use crate::ports::SchemaVersion;
use crate::resource::Item;

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

/// What was found.
pub(super) struct Breaks {
    pub found: Vec<Break>,
    /// Found beyond what can be told.
    pub omitted: usize,
}

/// Everything, newest version first.
pub(super) fn of(proposal: &Proposal<'_>, in_force: &SchemaVersion, new: &str) -> Result<Breaks, Refusal> {
    let mut found = protection(proposal.versions, in_force, proposal.items);
    if new == in_force.schema.text {
        return Ok(Breaks { found, omitted: 0 });
    }
    let mut omitted = 0;
    let new = read(new, Rules::RESOURCE)?;
    let versions: Vec<&SchemaVersion> = proposal.versions.iter().rev().collect();
    let earlier: Vec<Schema> =
        versions.iter().map(|version| read(&version.schema.text, Rules::STORED)).collect::<Result<_, _>>()?;
    let earlier: Vec<&Schema> = earlier.iter().collect();
    for broken in compat::breaks(&new, &earlier, proposal.level, Policy::House) {
        let version = versions.get(broken.version).map_or(0, |version| version.version);
        omitted += broken.omitted;
        let of_avro = |rule| move |found: Difference| of_avro(version, rule, found);
        found.extend(broken.backward.into_iter().map(of_avro(Rule::Backward)));
        found.extend(broken.forward.into_iter().map(of_avro(Rule::Forward)));
        found.extend(broken.house.into_iter().map(|change| Break {
            version,
            path: change.path,
            rule: Rule::Meaning,
            reason: change.meaning.word().to_owned(),
            text: change.text,
            because: Vec::new(),
        }));
    }
    let types = types(proposal, &found);
    found.extend(types);
    Ok(Breaks { found, omitted })
}

/// Items of another type that no other rule has found: Avro reads strings as bytes and bytes as strings, people do not.
fn types(proposal: &Proposal<'_>, found: &[Break]) -> Vec<Break> {
    let told: HashSet<(i32, &str)> = found.iter().map(|found| (found.version, found.item())).collect();
    let mut changed = Vec::new();
    for version in proposal.versions.iter().rev() {
        let earlier: HashMap<&str, &Item> =
            version.items.iter().map(|old| (old.name.as_str(), old)).collect();
        for new in proposal.items {
            let name = new.name.as_str();
            let other = earlier.get(name).is_some_and(|old| old.avro() != new.avro());
            if other && !told.contains(&(version.version, name)) {
                changed.push(Break {
                    version: version.version,
                    path: new.name.clone(),
                    rule: Rule::Meaning,
                    reason: "type_changed".to_owned(),
                    text: Text::new(
                        "类型改变了:同样的字节含义不同",
                        "its type is another: the same bytes mean something else",
                    ),
                    because: Vec::new(),
                });
            }
        }
    }
    changed
}

/// Our own texts are always read.
fn read(text: &str, rules: Rules) -> Result<Schema, Refusal> {
    avro::parse(text, rules)
        .map_err(|_| Refusal::new(Code::Internal, "存储的模式无法读取", "a stored schema cannot be read"))
}

fn of_avro(version: i32, rule: Rule, found: Difference) -> Break {
    // Where a reader lacks a default, an owner of items thinks of the item, not of readers and defaults.
    let text = match (found.kind, rule) {
        (Kind::ReaderFieldMissingDefaultValue, Rule::Backward) => Text::new(
            "新增的信息项须可为空(nullable = true):已有的记录里没有它",
            "an added item must be nullable (nullable = true): the records that are there lack it",
        ),
        (Kind::ReaderFieldMissingDefaultValue, _) => Text::new(
            "不可为空的信息项不能删除:按旧模式读取的使用方需要它",
            "an item that is not nullable cannot be removed: readers of the earlier schema need it",
        ),
        _ => found.text,
    };
    let mut because = Vec::new();
    reasons(&found.because, &mut because);
    Break { version, path: found.reader, rule, reason: found.kind.word().to_lowercase(), text, because }
}

/// As deep as reasons are told.
fn reasons(of: &[Difference], told: &mut Vec<Text>) {
    for reason in of {
        let Text { zh, en } = &reason.text;
        told.push(Text::new(format!("{}:{zh}", reason.reader), format!("{}: {en}", reason.reader)));
        reasons(&reason.because, told);
    }
}

/// A lower grade, and a mask that is gone or shows more, need a decision of their own. What comes again under a name
/// that went is held to what it was last.
fn protection(versions: &[SchemaVersion], in_force: &SchemaVersion, items: &[Item]) -> Vec<Break> {
    let mut found = Vec::new();
    for new in items {
        let known = |version: &'_ SchemaVersion| version.items.iter().position(|old| old.name == new.name);
        let last = versions.iter().rev().find_map(|version| Some((version, &version.items[known(version)?])));
        let Some((version, old)) = last else { continue };
        let mut add = |rule: Rule, reason: &str, text: Text| {
            let (version, path, reason) = (version.version, new.name.clone(), reason.to_owned());
            found.push(Break { version, path, rule, reason, text, because: Vec::new() });
        };
        if version.version != in_force.version && (new.title != old.title || new.unit != old.unit) {
            add(Rule::Meaning, "name_reused", reused(old, version.version));
        }
        if new.grade < old.grade {
            add(
                Rule::Protection,
                "grade_loosened",
                Text::new(
                    format!("分级由 {} 降为 {};降级不能随模式变更一并生效", old.grade, new.grade),
                    format!(
                        "its grade falls from {} to {}, which no change of schema brings along",
                        old.grade, new.grade
                    ),
                ),
            );
        }
        let Some(least) = old.mask else { continue };
        match new.mask {
            None => add(
                Rule::Protection,
                "mask_removed",
                Text::new(
                    format!("去掉了脱敏规则 {least};放宽脱敏不能随模式变更一并生效"),
                    format!("its mask {least} is gone, which no change of schema brings along"),
                ),
            ),
            Some(mask) if mask.looser_than(least) => add(
                Rule::Protection,
                "mask_loosened",
                Text::new(
                    format!("脱敏规则由 {least} 换成 {mask},会露出更多;放宽脱敏不能随模式变更一并生效"),
                    format!(
                        "its mask {least} becomes {mask}, which shows more; no change of schema brings that along"
                    ),
                ),
            ),
            Some(_) => {}
        }
    }
    found
}

fn reused(old: &Item, version: i32) -> Text {
    let (title, unit) = (&old.title, old.unit.as_deref().unwrap_or("-"));
    Text::new(
        format!(
            "第 {version} 版有同名的信息项“{title}”(单位 {unit}),已有的记录里还有它;恢复时名称与单位须相同,否则请换一个名称"
        ),
        format!(
            "version {version} had an item of this name, \"{title}\" (unit {unit}), and records still hold it: it comes \
             again with the same title and unit, or takes another name"
        ),
    )
}
