//! What a consumer will see, shown before a provider agrees: items and masks, what delete lines and ids reveal, and
//! what it sees together with its other grants on the resource (protocol.md 8).

use std::collections::BTreeMap;

use serde::Serialize;

use super::filters::Filters;
use super::make::Terms;
use super::{Grant, GrantState};
use crate::clock::Time;
use crate::error::{Refusal, Text};
use crate::ids::GrantNumber;
use crate::mask::Mask;
use crate::resource::{Kind, Resource};

/// An item that is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub name: String,
    pub title: String,
    /// Under which masks; none: whole.
    pub masks: Vec<Mask>,
}

/// What a provider must know before it agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Ids and positions count what else is published.
    Positions,
    /// A row is recognised by its handle although its key is masked or withheld.
    Handles,
    /// Delete lines show handles and times of rows outside the filter.
    RowsOutside,
    /// A copy keeps rows that left, as no delete lines are delivered.
    CopyKeepsRows,
    /// Records under several grants are joined by their ids.
    JoinedByIds,
}

impl Notice {
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Positions => Text::new(
                "记录标识和位置会显示该资源另有多少记录发布",
                "ids and positions show how much else is published",
            ),
            Self::Handles => Text::new(
                "主键项虽被脱敏或未授权,申请方仍可凭行标识(k)认出同一行",
                "key items are masked or withheld, but rows stay recognisable by their handle (k)",
            ),
            Self::RowsOutside => Text::new(
                "筛选条件用了主键以外的信息项:删除行会显示不符合条件的行的标识和时间;可用 --no-delete-lines 禁止",
                "the filter names items outside the key, so delete lines show handles and times of rows outside it; \
                 --no-delete-lines forbids them",
            ),
            Self::CopyKeepsRows => Text::new(
                "不交付删除行:申请方的副本会留有已删除或已不符合条件的行,不能写入数据表",
                "no delete lines are delivered: a copy keeps rows that left, and sinks into tables refuse to start",
            ),
            Self::JoinedByIds => Text::new(
                "申请方在该资源上另有授权,可凭记录标识把各授权的信息项合并",
                "the consumer has other grants on the resource and can join their items by record id",
            ),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disclosure {
    /// Under these terms.
    pub items: Vec<Shown>,
    /// Together with the consumer's other grants on the resource.
    pub together: Vec<Shown>,
    pub other_grants: Vec<GrantNumber>,
    pub notices: Vec<Notice>,
}

/// `grants`: the consumer's on this resource, in any state.
pub fn disclose(
    terms: &Terms,
    resource: &Resource,
    grants: &[Grant],
    now: Time,
) -> Result<Disclosure, Refusal> {
    let live = |grant: &&Grant| {
        grant.consumer == terms.consumer
            && grant.resource == terms.resource
            && matches!(grant.state_at(now), GrantState::Active | GrantState::Suspended)
    };
    let others: Vec<_> = grants.iter().filter(live).collect();
    let own = View { items: &terms.items, masks: &terms.masks };
    let mut views = vec![own];
    views.extend(others.iter().map(|grant| View { items: &grant.items, masks: &grant.masks }));
    Ok(Disclosure {
        items: shown(resource, &views[..1]),
        together: shown(resource, &views),
        other_grants: others.iter().map(|grant| grant.number).collect(),
        notices: notices(terms, resource, !others.is_empty())?,
    })
}

/// What one grant shows.
struct View<'a> {
    items: &'a [String],
    masks: &'a BTreeMap<String, Mask>,
}

/// The union of the views: whole where any shows it whole, else under every mask that shows a part of it.
fn shown(resource: &Resource, views: &[View<'_>]) -> Vec<Shown> {
    let mut seen = Vec::new();
    for item in &resource.file.items {
        // A grant on an earlier name shows the same values.
        let names = views.iter().flat_map(|view| item.names().map(move |name| (view, name)));
        let masks: Vec<Option<Mask>> = names
            .filter(|(view, name)| view.items.iter().any(|held| held == name))
            .map(|(view, name)| view.masks.get(name).copied())
            .collect();
        if masks.is_empty() {
            continue;
        }
        let whole = masks.contains(&None);
        let mut parts = Vec::new();
        for mask in masks.into_iter().flatten() {
            if !whole && !parts.contains(&mask) {
                parts.push(mask);
            }
        }
        seen.push(Shown { name: item.name.clone(), title: item.title.clone(), masks: parts });
    }
    seen
}

fn notices(terms: &Terms, resource: &Resource, joined: bool) -> Result<Vec<Notice>, Refusal> {
    let filters = Filters::read(
        terms.provider_filter.as_deref(),
        terms.consumer_filter.as_deref(),
        &resource.file.items,
    )?;
    let table = resource.file.kind == Kind::Table;
    let whole = |name: &String| terms.items.contains(name) && !terms.masks.contains_key(name);
    let given = [
        (Notice::Positions, true),
        (Notice::Handles, table && !resource.file.key.iter().all(whole)),
        (Notice::RowsOutside, table && terms.delete_lines && filters.look_beyond_key(resource)),
        (Notice::CopyKeepsRows, table && !terms.delete_lines),
        (Notice::JoinedByIds, joined),
    ];
    Ok(given.into_iter().filter(|(_, holds)| *holds).map(|(notice, _)| notice).collect())
}

#[cfg(test)]
mod tests;
