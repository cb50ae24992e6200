//! What came of a decision, in the words that an operator needs: what was given up, and what may be published twice.

use std::collections::BTreeMap;

use super::exported::Exported;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, ResourceCode, TopicName};
use crate::resource::Kind;
use crate::visibility::Run;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    pub events: i64,
    pub records: i64,
    pub dead: i64,
    /// The topics that the dead records lie in, with how many.
    pub given_up: BTreeMap<TopicName, i64>,
    /// Tables among them: they stand still until they have a new generation, as copies may hold what is dead.
    pub stopped: Vec<ResourceCode>,
    /// Events of publishes to resources, generations or under schemas that the store does not know.
    pub elsewhere: i64,
    /// Whoever published what was adopted may publish it once more.
    pub repeatable: Vec<Repeatable>,
    /// Events of other kinds that the store lacks, by code: what they tell of is to be done again.
    pub missing: BTreeMap<String, i64>,
}

/// Adopted publishes of one account to one resource. The keys and source positions they were made under are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    pub resource: ResourceCode,
    pub kind: Kind,
    pub account: Option<AccountId>,
    pub batches: i64,
    pub records: i64,
    /// Sources of that account with the position that they go on from.
    pub sources: Vec<(String, String)>,
}

pub(super) fn contradicts(event: &Exported, run: &Run) -> Refusal {
    let place = format!("{}.{}-{}", run.partition, run.first, run.last);
    Refusal::new(
        Code::Conflict,
        format!("事件 {} 的记录 {place} 与数据库已定的结果相抵触;未作任何更改", event.id),
        format!(
            "records {place} of event {} contradict what the store has settled; nothing was changed",
            event.id
        ),
    )
}

pub(super) fn not_held(event: &Exported) -> Refusal {
    Refusal::new(
        Code::LogRolledBack,
        format!("日志中没有事件 {} 所述的全部记录:这份日志也被回退过;未作任何更改", event.id),
        format!(
            "the log does not hold all records that event {} tells of: it was put back too; nothing was changed",
            event.id
        ),
    )
}

/// Topics that a refusal names; more are counted.
const NAMED: usize = 10;

pub(super) fn undecided(done: &Decided) -> Refusal {
    let offsets = done.dead;
    let mut named: Vec<String> =
        done.given_up.iter().take(NAMED).map(|(topic, records)| format!("{topic}: {records}")).collect();
    if done.given_up.len() > NAMED {
        named.push(format!("+{}", done.given_up.len() - NAMED));
    }
    let named = named.join(", ");
    Refusal::new(
        Code::StoreOlderThanLog,
        format!(
            "日志中尚有 {offsets} 条记录无任何事件说明,或属于数据库不知道的资源或代({named});未作任何更改:\
             请提供更完整的导出文件(--adopt),或以 --declare-dead 宣告其无效"
        ),
        format!(
            "{offsets} records of the log are covered by no event, or belong to a resource or generation that the \
             database does not know ({named}), so nothing was changed: give a more complete export (--adopt), or add \
             --declare-dead to give them up"
        ),
    )
    .with("undecided", offsets)
}
