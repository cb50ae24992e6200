//! `POST /resources/{code}/schema/check`: what a file or schema breaks, or the revision that waits, and for whom. Changes
//! nothing; only who would write or decide the change may ask, as the answer names the consumers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::{self, Proposed};
use changtong_catalog::agency::AgencyNames;
use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::error::{Code, Refusal, Text};
use changtong_catalog::evolution::{Break, Concerned, ItemChange, Rule};
use changtong_catalog::grant::{Grant, GrantState};
use changtong_catalog::ids::{AgencyId, GrantId, GrantNumber, ResourceCode};
use changtong_catalog::resource::lifecycle::{self, Act};
use changtong_catalog::resource::{Resource, ResourceFile};
use changtong_catalog::store::{Judged, Session};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::visible;
use crate::http::parts::{At, Document};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

/// Grants listed.
const MOST_GRANTS: usize = 1000;
/// Breaks told of each of them: most are the resource's, and told there.
const MOST_OF_A_GRANT: usize = 100;

/// Either of the two, or nothing for the revision that waits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// A resource file, as `revise` takes it.
    file: Option<Box<ResourceFile>>,
    /// An Avro schema, as JSON or as its text.
    schema: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    resource: ResourceCode,
    /// Whether `revise` would take it.
    compatible: bool,
    level: &'static str,
    /// The version in force.
    version: i32,
    /// Whether another schema would be put in force.
    new_schema: bool,
    reordered: bool,
    changes: Vec<ItemChange>,
    breaks: Vec<Broken>,
    /// How many more there was no room to tell.
    #[serde(skip_serializing_if = "none")]
    omitted: usize,
    /// The grants that stand, those that it breaks first, then those that use what changes.
    grants: Vec<Affected>,
    /// How many stand; more than are listed where there are very many.
    grants_total: usize,
}

#[derive(Debug, Serialize)]
struct Broken {
    version: i32,
    path: String,
    rule: Rule,
    reason: String,
    zh: String,
    en: String,
    /// Of a union: why none of its branches takes what is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    zh: String,
    en: String,
}

#[derive(Debug, Serialize)]
struct Affected {
    grant: GrantId,
    number: GrantNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<AgencyNames>,
    state: GrantState,
    /// Of the version whose derived schema it holds.
    schema_version: i32,
    subscriptions: Vec<String>,
    /// Items that change and that it delivers or filters by.
    uses: Vec<String>,
    derived_schema_changes: bool,
    breaks: Vec<Broken>,
    /// How many more concern it.
    #[serde(skip_serializing_if = "none")]
    omitted: usize,
}

pub async fn schema_check(
    State(app): State<Web>,
    Known(caller): Known,
    At(code): At<ResourceCode>,
    Document { value: proposed, .. }: Document<Body>,
) -> Answer<Json<Report>> {
    let entry = visible(&app, &caller, &code).await?.resource;
    lifecycle::may_check(&caller, &entry)?;
    lifecycle::apply(entry.state, Act::Revise)?;
    let now = app.clock.now();
    let proposed = proposed.meant(&entry)?;
    let judged = actions::check_schema(&app.store, &caller, entry.number, proposed, now).await?;
    let mut session = app.store.read().await?;
    Ok(Json(report(&mut session, &entry, judged, now).await?))
}

impl Body {
    fn meant(self, entry: &Resource) -> Result<Proposed, Refusal> {
        match (self.file, self.schema) {
            (Some(file), None) => Ok(Proposed::File(file)),
            (None, Some(schema)) => Ok(Proposed::Schema(text(&schema))),
            (None, None) if entry.proposal.is_some() => Ok(Proposed::Waiting),
            _ => Err(Refusal::new(
                Code::Invalid,
                "请求体应有 file(资源文件)或 schema(Avro 模式)之一;有待审核的修订时可以都不写",
                "the body has one of file (a resource file) and schema (an Avro schema), or none where a revision waits",
            )),
        }
    }
}

/// A schema may come as a string, as registries take it.
fn text(schema: &RawValue) -> String {
    serde_json::from_str(schema.get()).unwrap_or_else(|_| schema.get().to_owned())
}

async fn report(
    session: &mut Session,
    entry: &Resource,
    judged: Judged,
    now: Time,
) -> Result<Report, Refusal> {
    let mut subscriptions: HashMap<GrantId, Vec<String>> = HashMap::new();
    for (grant, name) in session.subscription_names(entry.number).await? {
        subscriptions.entry(grant).or_default().push(name);
    }
    let (compatible, breaks) = (!judged.breaks(), judged.verdict.breaks);
    let mut standing = judged.grants;
    let grants_total = standing.len();
    standing.sort_by_key(|(_, concerned)| (!concerned.breaks(), concerned.uses.is_empty()));
    standing.truncate(MOST_GRANTS);
    let mut consumers: HashMap<AgencyId, Option<AgencyNames>> = HashMap::new();
    let mut grants = Vec::with_capacity(standing.len());
    for (grant, concerned) in standing {
        if let Entry::Vacant(unknown) = consumers.entry(grant.consumer) {
            let names = session.agency(grant.consumer).await?.map(|agency| agency.names);
            unknown.insert(names);
        }
        let consumer = consumers.get(&grant.consumer).cloned().flatten();
        let subscriptions = subscriptions.remove(&grant.id).unwrap_or_default();
        grants.push(affected(&grant, concerned, &breaks, consumer, subscriptions, now));
    }
    Ok(Report {
        resource: entry.code.clone(),
        compatible,
        level: judged.level.word(),
        version: judged.versions.last().map_or(0, |version| version.version),
        new_schema: judged.verdict.new_schema,
        reordered: judged.verdict.reordered,
        changes: judged.verdict.changes,
        breaks: breaks.into_iter().map(Broken::from).collect(),
        omitted: judged.verdict.omitted,
        grants,
        grants_total,
    })
}

fn affected(
    grant: &Grant,
    concerned: Concerned,
    breaks: &[Break],
    consumer: Option<AgencyNames>,
    subscriptions: Vec<String>,
    now: Time,
) -> Affected {
    let all = concerned.own.len() + concerned.shared.len();
    let shared = concerned.shared.iter().filter_map(|place| breaks.get(*place)).cloned();
    let told = concerned.own.into_iter().chain(shared).take(MOST_OF_A_GRANT);
    Affected {
        grant: grant.id,
        number: grant.number,
        consumer,
        state: grant.state_at(now),
        schema_version: grant.schema_version,
        subscriptions,
        uses: concerned.uses,
        derived_schema_changes: concerned.derived_changes,
        breaks: told.map(Broken::from).collect(),
        omitted: all.saturating_sub(MOST_OF_A_GRANT),
    }
}

impl From<Break> for Broken {
    fn from(found: Break) -> Self {
        Self {
            version: found.version,
            path: found.path,
            rule: found.rule,
            reason: found.reason,
            zh: found.text.zh,
            en: found.text.en,
            because: found.because.into_iter().map(|Text { zh, en }| Reason { zh, en }).collect(),
        }
    }
}

fn none(omitted: &usize) -> bool {
    *omitted == 0
}

#[cfg(test)]
mod tests {
    use changtong_catalog::sample;

    use super::*;

    fn broken(number: usize) -> Break {
        Break {
            version: 1,
            path: format!("i{number}"),
            rule: Rule::Backward,
            reason: "type_mismatch".to_owned(),
            text: Text::new("", ""),
            because: Vec::new(),
        }
    }

    #[test]
    fn of_a_grant_so_many_breaks_are_told_and_its_own_first() {
        let breaks: Vec<_> = (0..MOST_OF_A_GRANT).map(broken).collect();
        let grant = sample::grant();
        let told = |own: usize| {
            let concerned = Concerned {
                id: grant.id,
                number: grant.number,
                consumer: grant.consumer,
                uses: Vec::new(),
                derived_changes: true,
                own: (1000..1000 + own).map(broken).collect(),
                shared: (0..breaks.len()).collect(),
            };
            affected(&grant, concerned, &breaks, None, Vec::new(), Time::default())
        };
        let all = told(0);
        assert_eq!((all.breaks.len(), all.omitted), (MOST_OF_A_GRANT, 0));
        let most = told(2);
        assert_eq!((most.breaks.len(), most.omitted), (MOST_OF_A_GRANT, 2));
        assert_eq!((most.breaks[0].path.as_str(), most.breaks[2].path.as_str()), ("i1000", "i0"));
    }
}
