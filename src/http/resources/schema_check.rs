//! `POST /resources/{code}/schema/check`: what a file or schema breaks, or the revision that waits, and for whom. Changes nothing; only
//! who would write or decide the change may ask, as the answer names the consumers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::Json;
use axum::extract::State;
use changtong_catalog::agency::AgencyNames;
use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::error::{Code, Refusal, Text};
use changtong_catalog::evolution::{Break, Concerned, ItemChange, Rule};
use changtong_catalog::grant::{Grant, GrantState};
use changtong_catalog::ids::{AgencyId, GrantId, GrantNumber, ResourceCode};
use changtong_catalog::resource::lifecycle::{self, Act};
use changtong_catalog::resource::{Item, Resource, ResourceFile, check};
use changtong_catalog::schema;
use changtong_catalog::store::{Judged, Session};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::visible;
use crate::http::parts::{At, Document};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

/// Grants listed.
const MOST_GRANTS: usize = 1000;

/// Either of the two, or nothing for the revision that waits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// A resource file, as `revise` takes it.
    file: Option<ResourceFile>,
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
}

pub async fn schema_check(
    State(app): State<Web>,
    Known(caller): Known,
    At(code): At<ResourceCode>,
    Document { value: proposed, .. }: Document<Proposed>,
) -> Answer<Json<Report>> {
    let entry = visible(&app, &caller, &code).await?.resource;
    lifecycle::may_check(&caller, &entry)?;
    lifecycle::apply(entry.state, Act::Revise)?;
    let items = proposed.items(&entry)?;
    let now = app.clock.now();
    let mut session = app.store.read().await?;
    let judged = session.judge(&entry, &items, now).await?;
    Ok(Json(report(&mut session, &entry, judged, now).await?))
}

impl Proposed {
    /// Checked as `revise` checks them.
    fn items(self, entry: &Resource) -> Result<Vec<Item>, Refusal> {
        let file = match (self.file, self.schema) {
            (Some(file), None) => file,
            (None, Some(schema)) => {
                let items = schema::adopt(&text(&schema), &entry.file.items)?;
                ResourceFile { items, ..entry.file.clone() }
            }
            (None, None) if entry.proposal.is_some() => entry.waiting()?.file.clone(),
            _ => {
                return Err(Refusal::new(
                    Code::Invalid,
                    "请求体应有 file(资源文件)或 schema(Avro 模式)之一;有待审核的修订时可以都不写",
                    "the body has one of file (a resource file) and schema (an Avro schema), or none where a revision waits",
                ));
            }
        };
        check::check_revision(entry, &file)?;
        Ok(file.items)
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
    let shared = concerned.shared.iter().filter_map(|place| breaks.get(*place)).cloned();
    Affected {
        grant: grant.id,
        number: grant.number,
        consumer,
        state: grant.state_at(now),
        schema_version: grant.schema_version,
        subscriptions,
        uses: concerned.uses,
        derived_schema_changes: concerned.derived_changes,
        breaks: shared.chain(concerned.own).map(Broken::from).collect(),
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
