//! What a proposal breaks with each version of its generation: Avro's rules, the house's on what data mean, and what a
//! change of schema never brings along.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Concerned, Proposal};
use crate::avro::{self, Rules, Schema};
use crate::compat::{self, Difference, Kind, Policy, Work};
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
    in_force: &SchemaVersion,
    new: &str,
    work: &mut Work,
) -> Result<Breaks, Refusal> {
    let mut breaks = Breaks::default();
    let Some(last) = last_known(proposal, work) else {
        breaks.add(too_complex(in_force.version, Rule::Protection));
        return Ok(breaks);
    };
    protection(&last, in_force, proposal.items).into_iter().for_each(|found| breaks.add(found));
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
        let other = earlier.get(new.name.as_str()).is_some_and(|old| old.avro() != new.avro());
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
            "新增的信息项须可为空(nullable = true):已有的记录里没有它",
            "an added item must be nullable (nullable = true): the records that are there lack it",
        ),
        (Kind::ReaderFieldMissingDefaultValue, _) => Text::new(
            "不可为空的信息项不能删除:按旧模式读取的使用方需要它",
            "an item that is not nullable cannot be removed: readers of the earlier schema need it",
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

/// By name, what each item was last, and in which version. `None` where that is too much to look for.
fn last_known<'a>(
    proposal: &Proposal<'a>,
    work: &mut Work,
) -> Option<HashMap<&'a str, (&'a SchemaVersion, &'a Item)>> {
    let mut wanted: HashSet<&str> = proposal.items.iter().map(|item| item.name.as_str()).collect();
    let mut last = HashMap::new();
    for version in proposal.versions.iter().rev() {
        if wanted.is_empty() {
            break;
        }
        if !work.take(version.items.len()) {
            return None;
        }
        for item in &version.items {
            if wanted.remove(item.name.as_str()) {
                last.insert(item.name.as_str(), (version, item));
            }
        }
    }
    Some(last)
}

/// A lower grade, and a mask that is gone or shows more, need a decision of their own. What comes again under a name
/// that went is held to what it was last.
fn protection(
    last: &HashMap<&str, (&SchemaVersion, &Item)>,
    in_force: &SchemaVersion,
    items: &[Item],
) -> Vec<Break> {
    let mut found = Vec::new();
    for new in items {
        let Some((version, old)) = last.get(new.name.as_str()) else { continue };
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
