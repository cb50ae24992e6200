//! A published resource's items change: what a proposal breaks by the rules of its subject and of the house, and for
//! whom (domain.md 4.4). What breaks nothing may be put in force; what breaks something waits for a consultation of the
//! consumers, which the catalog does not have yet.

mod breaks;
mod change;
mod past;
mod whom;

use std::collections::BTreeMap;

use crate::compat::{Level, Work};
use crate::error::{Code, Refusal};
use crate::ids::ResourceNumber;
use crate::ports::SchemaVersion;
use crate::registry::MOST_VERSIONS;
use crate::resource::Item;
use crate::schema;
use breaks::Breaks;
pub use breaks::{Break, Rule};
pub use change::{Fate, ItemChange};
use change::{item_changes, reordered};
pub use whom::{Concerned, concerned, derived_changes};

/// Breaks listed in a refusal; what is more is counted.
const LISTED: usize = 100;

/// Items that are to take the place of those in force.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    pub resource: ResourceNumber,
    pub level: Level,
    /// Of the generation in force, oldest first; the last is in force.
    pub versions: &'a [SchemaVersion],
    pub items: &'a [Item],
}

/// What a proposal would do to the resource itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The value schema that its items make.
    pub schema: String,
    /// Whether that is another than the one in force.
    pub new_schema: bool,
    pub changes: Vec<ItemChange>,
    /// Whether items that stay stand in another order.
    pub reordered: bool,
    pub breaks: Vec<Break>,
    /// How many more there was no room to tell.
    pub omitted: usize,
    /// Items that come to show records by a new alias, with that alias: breaks for whoever was granted the item alone.
    pub widened: BTreeMap<String, String>,
}

impl Proposal<'_> {
    /// `items` make a schema already (`resource::check`). What there is no work left for counts as broken.
    pub fn judge(&self, work: &mut Work) -> Result<Verdict, Refusal> {
        let in_force = self.versions.last().ok_or_else(not_published)?;
        let schema = schema::value_schema(self.resource, self.items)?;
        let new_schema = schema != in_force.schema.text;
        if new_schema && self.versions.len() >= MOST_VERSIONS {
            return Err(full());
        }
        let past = past::Past::of(self.versions, self.items, work);
        let (breaks, widened) = match &past {
            Some(past) => (breaks::of(self, past, in_force, &schema, work)?, past.widened(self.items)),
            None => (Breaks::one(breaks::too_complex(in_force.version, Rule::Protection)), BTreeMap::new()),
        };
        Ok(Verdict {
            new_schema,
            changes: item_changes(&in_force.items, self.items),
            reordered: reordered(&in_force.items, self.items),
            breaks: breaks.found,
            omitted: breaks.omitted,
            widened,
            schema,
        })
    }
}

/// Refuses what breaks something, for the resource or for a grant on it.
pub fn check(level: Level, verdict: &Verdict, concerned: &[Concerned]) -> Result<(), Refusal> {
    let of_grants =
        concerned.iter().flat_map(|grant| grant.own.iter().map(move |found| (Some(grant), found)));
    let all: Vec<_> = verdict.breaks.iter().map(|found| (None, found)).chain(of_grants).collect();
    let Some((grant, first)) = all.first() else { return Ok(()) };
    let (zh, en) = match grant {
        None => (String::new(), String::new()),
        Some(grant) => (format!("授权 {} 的", grant.number), format!("of grant {}, ", grant.number)),
    };
    let (more_zh, more_en) = match all.len() - 1 {
        0 => (String::new(), String::new()),
        more => (format!("(另有 {more} 处)"), format!(" (and {more} more)")),
    };
    let listed: Vec<_> = all.iter().take(LISTED).map(|(grant, found)| found.to_value(*grant)).collect();
    let (path, text) = (first.place(), &first.text);
    Err(Refusal::new(
        Code::SchemaIncompatible,
        format!(
            "{zh}{path}:{}{more_zh}。changtong schema check 列出受影响的授权;不兼容的变更须先征求使用方意见,目录目前还没有\
             这一步骤,因此不予生效",
            text.zh
        ),
        format!(
            "{en}{path}: {}{more_en}. changtong schema check names the grants concerned; a breaking change needs the \
             consultation of its consumers, a step that the catalog does not have yet, so it is not put in force",
            text.en
        ),
    )
    .with("path", path)
    .with("level", level.word())
    .with("differences", listed)
    .with("total", all.len()))
}

/// Each version is one that records may have, so each is held against what comes and is read by.
fn full() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        format!(
            "本代主题的模式已有 {MOST_VERSIONS} 个版本,不能再增加;不改变模式的修订仍可生效,需要其他信息项时请另行编制条目,\
             并使旧条目退出目录"
        ),
        format!(
            "the generation has {MOST_VERSIONS} versions of its schema and takes no more; what does not show in the schema \
             can still be revised: for other items draft another entry, and retire this one once its consumers have moved"
        ),
    )
    .with("versions", MOST_VERSIONS)
}

fn not_published() -> Refusal {
    Refusal::new(
        Code::ResourceNotPublished,
        "信息资源尚未发布,还没有模式",
        "the resource is not published yet, so it has no schema",
    )
}

#[cfg(test)]
mod tests;
