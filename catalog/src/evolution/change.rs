//! Two lists of items compared, item by item.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::resource::Item;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Added,
    Changed,
    Removed,
}

/// What becomes of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemChange {
    pub item: String,
    pub fate: Fate,
    /// Which of its members differ, as a file names them; none where it is added or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<&'static str>,
}

/// Changed and added items in their new order, then those that are gone.
#[must_use]
pub fn item_changes(before: &[Item], after: &[Item]) -> Vec<ItemChange> {
    let (was, now) = (by_name(before), by_name(after));
    let mut changes = Vec::new();
    for item in after {
        match was.get(item.name.as_str()) {
            None => changes.push(ItemChange::new(item, Fate::Added, Vec::new())),
            Some(old) => {
                let members = members(old, item);
                if !members.is_empty() {
                    changes.push(ItemChange::new(item, Fate::Changed, members));
                }
            }
        }
    }
    let gone = before.iter().filter(|item| !now.contains_key(item.name.as_str()));
    changes.extend(gone.map(|item| ItemChange::new(item, Fate::Removed, Vec::new())));
    changes
}

/// Whether items that are in both stand in another order.
#[must_use]
pub fn reordered(before: &[Item], after: &[Item]) -> bool {
    let (was, now) = (by_name(before), by_name(after));
    shared(before, &now).ne(shared(after, &was))
}

/// Names of the items that the others have too.
fn shared<'a>(items: &'a [Item], others: &BTreeMap<&str, &Item>) -> impl Iterator<Item = &'a str> {
    items.iter().map(|item| item.name.as_str()).filter(|name| others.contains_key(name))
}

pub(super) fn by_name(items: &[Item]) -> BTreeMap<&str, &Item> {
    items.iter().map(|item| (item.name.as_str(), item)).collect()
}

impl ItemChange {
    /// Whether records show more than before: another item, or one under a name that it did not have.
    #[must_use]
    pub fn shows_more(&self) -> bool {
        self.fate == Fate::Added || self.members.contains(&"aliases")
    }

    fn new(item: &Item, fate: Fate, members: Vec<&'static str>) -> Self {
        Self { item: item.name.clone(), fate, members }
    }
}

fn members(old: &Item, new: &Item) -> Vec<&'static str> {
    let same = [
        ("title", old.title == new.title),
        ("type", old.kind == new.kind),
        ("nullable", old.nullable == new.nullable),
        ("grade", old.grade == new.grade),
        ("length", old.length == new.length),
        ("precision", old.precision == new.precision),
        ("scale", old.scale == new.scale),
        ("values", old.values == new.values),
        ("unit", old.unit == new.unit),
        ("mask", old.mask == new.mask),
        ("default", old.default_value() == new.default_value()),
        ("aliases", old.aliases == new.aliases),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}
