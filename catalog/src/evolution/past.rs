//! What the generation had under an item's names so far: what protects those items stays, and what records of them show
//! stays the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Break, Rule};
use crate::compat::Work;
use crate::error::Text;
use crate::ports::SchemaVersion;
use crate::resource::Item;

type Found = (Rule, &'static str, Text);

/// An item of a version.
type Was<'v> = (&'v SchemaVersion, &'v Item);

/// The versions of a generation.
pub(super) struct Past<'v> {
    versions: &'v [SchemaVersion],
    /// Each name as it was last there.
    last: HashMap<&'v str, Was<'v>>,
    /// The last item that answered to a name, its own or an alias.
    answered: HashMap<&'v str, Was<'v>>,
    /// The last item that had it as an alias.
    aliased: HashMap<&'v str, Was<'v>>,
}

impl<'v> Past<'v> {
    /// `None` where that is too much to look at: each name of a version is, twice, and each of the new items in it.
    pub fn of(versions: &'v [SchemaVersion], new: &[Item], work: &mut Work) -> Option<Self> {
        let names = |items: &[Item]| items.iter().map(|item| 1 + item.aliases.len()).sum::<usize>();
        if !versions.iter().all(|version| work.take(2 * names(&version.items) + names(new))) {
            return None;
        }
        let (mut last, mut answered, mut aliased) = (HashMap::new(), HashMap::new(), HashMap::new());
        for version in versions.iter().rev() {
            for item in &version.items {
                last.entry(item.name.as_str()).or_insert((version, item));
                for name in item.names() {
                    answered.entry(name).or_insert((version, item));
                }
                for alias in &item.aliases {
                    aliased.entry(alias.as_str()).or_insert((version, item));
                }
            }
        }
        Some(Self { versions, last, answered, aliased })
    }

    /// A lower grade, and a mask that is gone or shows more, need a decision of their own. What comes again under a name
    /// that went is held to what it was last, and each name to what last answered to it: an item by its alias too.
    pub fn protection(&self, in_force: &SchemaVersion, items: &[Item]) -> Vec<Break> {
        let mut found = Vec::new();
        for new in items {
            let reused = self.reused(in_force, new);
            found.extend(reused.map(|(version, broken)| of_item(new, version, broken)));
            for (version, old) in self.held_to(new) {
                let loosened = [loosened_grade(old, new), loosened_mask(old, new)];
                let loosened = loosened.into_iter().flatten().map(|(rule, reason, text)| {
                    let text = if old.name == new.name { text } else { as_alias(&old.name, text) };
                    of_item(new, version.version, (rule, reason, text))
                });
                found.extend(loosened);
            }
        }
        found
    }

    /// What protected the values that an item shows, each once.
    fn held_to(&self, new: &Item) -> Vec<Was<'v>> {
        let mut held: Vec<Was<'v>> = Vec::new();
        for name in new.names() {
            for was in [self.last.get(name), self.answered.get(name)].into_iter().flatten() {
                if !held.iter().any(|(_, old)| std::ptr::eq(*old, was.1)) {
                    held.push(*was);
                }
            }
        }
        held
    }

    /// Whether a name that went comes again for something else. One that another item has or had as its alias does not
    /// come again at all: who holds that version would find it under that item.
    fn reused(&self, in_force: &SchemaVersion, new: &Item) -> Option<(i32, Found)> {
        if in_force.items.iter().any(|item| item.name == new.name) {
            return None;
        }
        if let Some((version, item)) = self.aliased.get(new.name.as_str()) {
            return Some((version.version, is_alias(item, version.version)));
        }
        let (version, old) = self.last.get(new.name.as_str())?;
        let other = new.title != old.title || new.unit != old.unit;
        other.then(|| (version.version, reused(old, version.version)))
    }

    /// Records that an item was read from, or that lacked it, do not come to say something else: whoever read them has
    /// them as they were.
    pub fn shown_otherwise(&self, items: &[Item]) -> Vec<Break> {
        let said = |item: &Item| item.default.is_some() || !item.aliases.is_empty();
        let pairs = items.iter().filter_map(|new| Some((self.last.get(new.name.as_str())?.1, new)));
        let mut left: Vec<(&Item, &Item)> = pairs.filter(|(old, new)| said(old) || said(new)).collect();
        let mut found = Vec::new();
        for version in self.versions.iter().rev() {
            if left.is_empty() {
                break;
            }
            let names: HashSet<&str> = version.items.iter().map(|item| item.name.as_str()).collect();
            left.retain(|(old, new)| {
                let broken = otherwise(&names, old, new);
                let stays = broken.is_none();
                found.extend(broken.map(|broken| of_item(new, version.version, broken)));
                stays
            });
        }
        found
    }

    /// Items that show, by an alias that they did not have when they were last there, records that they did not show;
    /// with that alias.
    pub fn widened(&self, items: &[Item]) -> BTreeMap<String, String> {
        let by = |new: &Item| {
            let (_, old) = self.last.get(new.name.as_str())?;
            let mut held = new.aliases.iter().filter(|alias| self.last.contains_key(alias.as_str()));
            let alias = held.find(|alias| !old.aliases.contains(alias))?;
            Some((new.name.clone(), alias.clone()))
        };
        items.iter().filter_map(by).collect()
    }
}

fn of_item(item: &Item, version: i32, (rule, reason, text): Found) -> Break {
    Break { version, path: item.name.clone(), rule, reason: reason.to_owned(), text, because: Vec::new() }
}

/// Whether a record of a version that has these names is shown otherwise.
fn otherwise(names: &HashSet<&str>, old: &Item, new: &Item) -> Option<Found> {
    let was = old.names().find(|name| names.contains(name));
    let is = new.names().find(|name| names.contains(name));
    match was {
        None if is.is_none() && old.default_value() != new.default_value() => Some((
            Rule::Meaning,
            "default_changed",
            Text::new(
                "默认值改变了:该版的记录没有这一项,读取方已看到的是原来的值",
                "its default is another: records of that version lack it, and readers were shown the earlier one",
            ),
        )),
        Some(name) if is != was => Some((
            Rule::Meaning,
            "alias_gone",
            Text::new(
                format!("不再有别名“{name}”:该版的记录以此名存有它的值,读取方已经看到"),
                format!(
                    "its alias \"{name}\" is gone: records of that version hold it under that name, and readers were shown it"
                ),
            ),
        )),
        _ => None,
    }
}

fn is_alias(item: &Item, version: i32) -> Found {
    let name = &item.name;
    let text = Text::new(
        format!("在第 {version} 版是信息项“{name}”的别名,不能再作信息项名;请换一个名称"),
        format!(
            "version {version} has it as an alias of \"{name}\", so it names no item any more: take another name"
        ),
    );
    (Rule::Meaning, "name_reused", text)
}

fn loosened_grade(old: &Item, new: &Item) -> Option<Found> {
    let text = Text::new(
        format!("分级由 {} 降为 {};降级不能随模式变更一并生效", old.grade, new.grade),
        format!(
            "its grade falls from {} to {}, which no change of schema brings along",
            old.grade, new.grade
        ),
    );
    (new.grade < old.grade).then_some((Rule::Protection, "grade_loosened", text))
}

fn loosened_mask(old: &Item, new: &Item) -> Option<Found> {
    let least = old.mask?;
    let (reason, text) = match new.mask {
        None => (
            "mask_removed",
            Text::new(
                format!("去掉了脱敏规则 {least};放宽脱敏不能随模式变更一并生效"),
                format!("its mask {least} is gone, which no change of schema brings along"),
            ),
        ),
        Some(mask) if mask.looser_than(least) => (
            "mask_loosened",
            Text::new(
                format!("脱敏规则由 {least} 换成 {mask},会露出更多;放宽脱敏不能随模式变更一并生效"),
                format!(
                    "its mask {least} becomes {mask}, which shows more; no change of schema brings that along"
                ),
            ),
        ),
        Some(_) => return None,
    };
    Some((Rule::Protection, reason, text))
}

fn as_alias(name: &str, Text { zh, en }: Text) -> Text {
    Text::new(format!("别名“{name}”所指的信息项:{zh}"), format!("as the item \"{name}\" that it was: {en}"))
}

fn reused(old: &Item, version: i32) -> Found {
    let (title, unit) = (&old.title, old.unit.as_deref().unwrap_or("-"));
    let text = Text::new(
        format!(
            "第 {version} 版有同名的信息项“{title}”(单位 {unit}),已有的记录里还有它;恢复时名称与单位须相同,否则请换一个名称"
        ),
        format!(
            "version {version} had an item of this name, \"{title}\" (unit {unit}), and records still hold it: it comes \
             again with the same title and unit, or takes another name"
        ),
    );
    (Rule::Meaning, "name_reused", text)
}
