//! Whom a proposal concerns: each grant on the resource, what of the change it uses, and whether its own terms still
//! fit. A grant keeps its terms and the derived schema it holds, whatever becomes of the items.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::breaks::too_complex;
use super::change::by_name;
use super::{Break, Fate, ItemChange, Proposal, Rule, Verdict, item_changes};
use crate::compat::Work;
use crate::error::{Code, Refusal};
use crate::filter;
use crate::grant::Grant;
use crate::ids::{AgencyId, GrantId, GrantNumber};
use crate::mask::Mask;
use crate::ports::SchemaVersion;
use crate::resource::Item;
use crate::schema;

/// Looks that a grant costs, whatever it names.
const OF_A_GRANT: usize = 50;
/// Bytes of a filter that hold a name at most.
const BYTES_OF_A_NAME: usize = 4;
/// Names that are compared in the time that a look takes.
const NAMES_OF_A_LOOK: usize = 64;

/// A grant on the resource, as the proposal finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    pub id: GrantId,
    pub number: GrantNumber,
    pub consumer: AgencyId,
    /// Items that change and that it delivers or filters by.
    pub uses: Vec<String>,
    /// Whether the derived schema it would move to is another than the one it holds.
    pub derived_changes: bool,
    /// What breaks for it alone: its filters, its masks.
    pub own: Vec<Break>,
    /// Places in `Verdict::breaks` of what it uses.
    pub shared: Vec<usize>,
}

impl Concerned {
    #[must_use]
    pub fn breaks(&self) -> bool {
        !self.own.is_empty() || !self.shared.is_empty()
    }
}

/// What the proposal is to one grant: not known, which counts as broken, where there is no work left to look.
pub fn concerned(
    proposal: &Proposal<'_>,
    verdict: &Verdict,
    grant: &Grant,
    work: &mut Work,
) -> Result<Concerned, Refusal> {
    let Some(in_force) = proposal.versions.last() else { return Err(super::not_published()) };
    let held = proposal.versions.binary_search_by_key(&grant.schema_version, |version| version.version);
    let held = held.ok().map(|place| &proposal.versions[place]);
    let mut concerned = Concerned {
        id: grant.id,
        number: grant.number,
        consumer: grant.consumer,
        uses: Vec::new(),
        derived_changes: true,
        own: Vec::new(),
        shared: Vec::new(),
    };
    let items = [proposal.items, &in_force.items, held.map_or(&[], |held| &held.items)];
    if !work.take(cost(grant, items).saturating_add(verdict.changes.len() + verdict.breaks.len())) {
        concerned.own.push(too_complex(in_force.version, Rule::Grant));
        return Ok(concerned);
    }
    let used = used(grant, &in_force.items);
    let uses = |change: &&ItemChange| used.contains(change.item.as_str());
    let shared = verdict.breaks.iter().enumerate();
    let shared = shared.filter(|(_, found)| found.path.is_empty() || used.contains(found.item()));
    concerned.uses = verdict.changes.iter().filter(uses).map(|change| change.item.clone()).collect();
    concerned.shared = shared.map(|(place, _)| place).collect();
    if let Some(held) = held {
        concerned.derived_changes = derived_differs(grant, &held.items, proposal.items)?;
    }
    concerned.own = own(grant, in_force, proposal.items, &used, &verdict.widened);
    Ok(concerned)
}

/// Looks at the items and at those that the grant names; a filter's names are looked for one by one.
fn cost(grant: &Grant, items: [&[Item]; 3]) -> usize {
    let [new, in_force, held] = items.map(<[Item]>::len);
    let named = grant.items.len() + grant.masks.len();
    let read: usize = filters(grant).map(|(_, text)| text.len() / BYTES_OF_A_NAME).sum();
    OF_A_GRANT + 2 * (named + new) + in_force + held + read * (1 + (new + in_force) / NAMES_OF_A_LOOK)
}

/// Names of the items that it delivers or filters by.
fn used<'a>(grant: &'a Grant, items: &'a [Item]) -> BTreeSet<&'a str> {
    let mut used: BTreeSet<&str> = grant.items.iter().map(String::as_str).collect();
    for (_, text) in filters(grant) {
        // A filter over the items in force was checked when the grant was made, and by every revision since.
        let Ok(filter) = filter::parse(text).and_then(|expr| expr.check(items)) else { continue };
        used.extend(filter.items().iter().filter_map(|at| items.get(*at)).map(|item| item.name.as_str()));
    }
    used
}

fn filters(grant: &Grant) -> impl Iterator<Item = (&'static str, &str)> {
    let both = [("provider_filter", &grant.provider_filter), ("consumer_filter", &grant.consumer_filter)];
    both.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
}

fn derived_differs(grant: &Grant, held: &[Item], new: &[Item]) -> Result<bool, Refusal> {
    let derived = |items| schema::derived_schema(grant.number, items, &grant.items, &grant.masks);
    Ok(derived(held)? != derived(new)?)
}

/// What a derived schema made from other items shows otherwise: of granted items, and only what it says of them.
#[must_use]
pub fn derived_changes(grant: &Grant, before: &[Item], after: &[Item]) -> Vec<ItemChange> {
    let granted = |change: &ItemChange| grant.items.contains(&change.item);
    let said = |change: ItemChange| {
        let masked = grant.masks.contains_key(&change.item);
        let kept = |member: &&str| match *member {
            "length" | "mask" => false,
            "values" | "default" => !masked,
            _ => true,
        };
        let members: Vec<_> = change.members.iter().copied().filter(|member| kept(member)).collect();
        let nothing = change.fate == Fate::Changed && members.is_empty();
        (!nothing).then_some(ItemChange { members, ..change })
    };
    item_changes(before, after).into_iter().filter(granted).filter_map(said).collect()
}

/// Filters and masks over the new items, and records that it would come to see by a new alias.
fn own(
    grant: &Grant,
    in_force: &SchemaVersion,
    items: &[Item],
    used: &BTreeSet<&str>,
    widened: &BTreeMap<String, String>,
) -> Vec<Break> {
    let (now, before) = (by_name(items), by_name(&in_force.items));
    let granted: HashSet<&str> = grant.items.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    let mut add = |path: String, reason: &str, refusal: Refusal| {
        let version = in_force.version;
        let (rule, reason, because) = (Rule::Grant, reason.to_owned(), Vec::new());
        found.push(Break { version, path, rule, reason, text: refusal.text, because });
    };
    for (name, text) in filters(grant) {
        if let Err(refusal) = filter::parse(text).and_then(|expr| expr.check(items)) {
            add(name.to_owned(), "filter_invalid", refusal);
        }
    }
    for (name, mask) in &grant.masks {
        let Some(item) = now.get(name.as_str()) else { continue };
        if let Err(refusal) = mask.check(item) {
            add(name.clone(), "mask_invalid", refusal);
        }
    }
    for item in items.iter().filter(|item| granted.contains(item.name.as_str())) {
        let before = before.get(item.name.as_str());
        let Some(least) = item.mask.filter(|least| before.and_then(|before| before.mask) != Some(*least))
        else {
            continue;
        };
        if grant.masks.get(&item.name).is_none_or(|held| held.looser_than(least)) {
            add(item.name.clone(), "mask_not_held", not_held(least));
        }
    }
    for (item, alias) in widened.iter().filter(|(item, _)| used.contains(item.as_str())) {
        add(item.clone(), "alias_not_granted", not_granted(alias));
    }
    found
}

/// What a grant was agreed upon did not say that the item is also the other.
fn not_granted(alias: &str) -> Refusal {
    Refusal::new(
        Code::SchemaIncompatible,
        format!(
            "新的别名“{alias}”会使已有的授权看到原信息项的值;请先撤销该授权,或由使用方以新的条件重新申请"
        ),
        format!(
            "its new alias \"{alias}\" would show this grant values of the item of that name: revoke the grant first and \
             let the consumer ask anew"
        ),
    )
}

/// A grant keeps its terms, so it would go on without the mask.
fn not_held(least: Mask) -> Refusal {
    Refusal::new(
        Code::SchemaIncompatible,
        format!("新的脱敏规则 {least} 不会用于已有的授权;请先撤销该授权,或由使用方以新的条件重新申请"),
        format!(
            "its new mask {least} would not reach this grant, which keeps its terms: revoke the grant first and let the \
             consumer ask anew"
        ),
    )
}
