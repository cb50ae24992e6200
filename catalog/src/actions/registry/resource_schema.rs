//! Subjects of resources: what is there has its id; what is new counts by the items that it means, judged as a revision
//! of the entry is. Registering puts it in force by revising the entry, which this does only for the head of its agency,
//! and only where the entry says so.

use std::sync::Arc;

use serde_json::Value;

use super::Registering;
use super::prepare::{How, Prepared, Sent, found};
use crate::account::{Caller, Role};
use crate::actions::adopt_schema::adopt_schema;
use crate::actions::think::turn;
use crate::actions::{Act, Proposed};
use crate::compat::Work;
use crate::error::{Code, Refusal, Text};
use crate::evolution::Break;
use crate::registry::{
    Candidate, Earlier, Mode, OfResource, Part, Place, Registered, Subject, VersionId, Wrong, by_revising,
};
use crate::resource::{Resource, ResourceState, lifecycle};
use crate::store::Store;
use crate::visible::{self, Sight};

pub(super) async fn register(
    store: &Store,
    act: &Act<'_>,
    subject: &Subject,
    (of, mode): (OfResource, Mode),
    (candidate, how): (&Candidate, Registering),
) -> Result<Registered, Wrong> {
    if visible::standing(act.caller, of.provider, of.state, of.share_type) != Sight::Whole {
        return Err(by_revising(subject));
    }
    let asked =
        Asked { store, caller: act.caller, subject, candidate, normalize: how.normalize, numbered: true };
    let mut work = Work::default();
    let (new, same) = asked.read(&mut work).await?;
    if let Some(same) = same {
        return Ok(store.read().await?.registered(subject, same).await?);
    }
    mode.check_register(subject, candidate.given_id().is_some())?;
    let numbered = candidate.given_version().is_some() || candidate.given_id().is_some();
    let plain = new.content.beside.is_empty() && !numbered;
    let mut session = store.read().await?;
    let entry = session.resource(of.number).await?.filter(|_| plain);
    let place = session.place_of(subject).await?;
    drop(session);
    let Some(entry) = entry.filter(|entry| may_put_in_force(act.caller, place, entry)) else {
        return Err(by_revising(subject));
    };
    // Whatever was judged ahead counts only for the entry as it stands under its lock, of the same generation.
    let of = (&entry.code, entry.generation);
    let adopted = adopt_schema(store, act, of, (&new.content.text, &work)).await;
    let revised = adopted.map_err(|refusal| refused(subject, refusal))?.object;
    let mut session = store.read().await?;
    let versions = session.versions_of(subject).await?;
    let its = versions.iter().rfind(|one| Some(one.id) == revised.schema);
    let its = its.ok_or_else(|| Wrong::SubjectNotFound(subject.to_string()))?;
    Ok(session.registered(subject, *its).await?)
}

/// Why a schema could not take the place of what is in force; nothing if it could. It is judged as it would be if it were
/// registered; against the terms of grants only for whoever may know them, since what a made up proposal does to a hidden
/// filter tells what the filter says.
pub(super) async fn check_compatible(
    store: &Store,
    act: &Act<'_>,
    (subject, of): (&Subject, OfResource),
    (candidate, normalize): (&Candidate, bool),
    only: Option<VersionId>,
) -> Result<Vec<String>, Wrong> {
    let asked = Asked { store, caller: act.caller, subject, candidate, normalize, numbered: false };
    let mut work = Work::default();
    let (new, same) = asked.read(&mut work).await?;
    if same.is_some() {
        return Ok(Vec::new());
    }
    let turn = turn(act.caller).await?;
    let mut session = store.read().await?;
    let ground = session.ground_of_all(of.number).await?;
    let place = session.place_of(subject).await?;
    let Some(mut ground) = ground.filter(|on| is_in_force(place, &on.entry)) else {
        return Ok(vec![line("NOT_PERMITTED", &only_values(subject), "")]);
    };
    if lifecycle::may_check(act.caller, &ground.entry).is_ok() {
        ground = session.with_grants(ground, act.now).await?;
    }
    drop(session);
    let judged = turn.think(move || {
        let proposed = Proposed::Schema(new.content.text.clone());
        let items = proposed.items(&ground.entry, &mut work);
        items.map(|items| ground.judge(&items, &mut work))
    });
    let judged = match judged.await? {
        Ok(judged) => judged?,
        Err(refusal) => return Ok(vec![line(refusal.code.as_str(), &refusal.text, "")]),
    };
    let newest = judged.versions.last().map(|version| version.version);
    let only = only.map(|version| if version == VersionId::Latest { newest } else { Some(version.number()) });
    let counts = |found: &&Break| only.is_none_or(|only| only == Some(found.version));
    let mut lines: Vec<_> = judged.verdict.breaks.iter().filter(counts).map(told).collect();
    lines.extend(judged.grants.iter().flat_map(|(_, concerned)| &concerned.own).map(told));
    // Of grants that were not looked at there is nothing to tell one by one.
    lines.dedup();
    if judged.verdict.omitted > 0 {
        lines.push(format!("{{omitted: {} more differences}}", judged.verdict.omitted));
    }
    Ok(lines)
}

struct Asked<'a> {
    store: &'a Store,
    caller: &'a Caller,
    subject: &'a Subject,
    candidate: &'a Candidate,
    normalize: bool,
    /// Only what has the numbers that the candidate comes with is the same.
    numbered: bool,
}

impl Asked<'_> {
    /// What was sent, and the version that is the same.
    async fn read(&self, work: &mut Work) -> Result<(Arc<Prepared>, Option<Earlier>), Wrong> {
        let Self { store, caller, subject, candidate, normalize, numbered } = self;
        let mut session = store.read().await?;
        let config = session.config_in_scope(subject).await?;
        let mut versions = session.versions_of(subject).await?;
        versions.retain(|one| !one.deleted && (!numbered || candidate.comes_as(one.id, one.version)));
        let sent = (candidate.schema.as_str(), &candidate.beside());
        let how = How::new(&config, false, *normalize);
        let sent = Sent::fetch(&mut session, caller, subject, sent, how).await?;
        drop(session);
        work.take_text(sent.bytes());
        let new = sent.prepare(caller).await?;
        let known = store.read().await?.stored_id(&subject.context, &new.content).await?;
        let same = versions.iter().rfind(|one| Some(one.id) == known).copied();
        if same.is_some() {
            return Ok((new, same));
        }
        let same = found(store, (caller, subject), &new, &versions, work).await?;
        Ok((new, same))
    }
}

/// For the head of its agency, where the entry says so.
fn may_put_in_force(caller: &Caller, place: Option<Place>, entry: &Resource) -> bool {
    let head = caller.agency == entry.provider && caller.is(Role::Reviewer);
    head && entry.file.auto_register && is_in_force(place, entry)
}

/// Whether it is what may change of a resource: the values, in the generation in force, of what is published. Keys never
/// change. A subject's name says it not: it keeps the prefix that its topic was named with.
fn is_in_force(place: Option<Place>, entry: &Resource) -> bool {
    let values = Place { resource: entry.number, generation: entry.generation, part: Part::Value };
    place == Some(values) && entry.state == ResourceState::Published
}

/// What keeps an entry from being revised keeps the text from being registered. What the entry's items cannot become is
/// as incompatible as what breaks them.
fn refused(subject: &Subject, refusal: Refusal) -> Wrong {
    match refusal.code {
        Code::SchemaIncompatible | Code::SchemaRejected | Code::Invalid => {
            Wrong::Incompatible(subject.to_string(), listed(&refusal))
        }
        code if code.status() < 500 && !code.retryable() => {
            Wrong::NotPermitted(format!("{} / {}", refusal.text.en, refusal.text.zh))
        }
        _ => Wrong::Refused(refusal),
    }
}

/// A line for each difference that a refusal lists.
fn listed(refusal: &Refusal) -> Vec<String> {
    let differences = refusal.extra.get("differences").and_then(Value::as_array);
    let word =
        |found: &Value, at: &str| found.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let told = |found: &Value| {
        let text = Text::new(word(found, "/text/zh"), word(found, "/text/en"));
        line(&word(found, "/reason"), &text, &word(found, "/path"))
    };
    let mut lines: Vec<_> = differences.into_iter().flatten().map(told).collect();
    lines.push(line(refusal.code.as_str(), &refusal.text, ""));
    lines
}

fn told(found: &Break) -> String {
    let mut text = found.text.clone();
    for reason in &found.because {
        text.zh.push_str(&format!(";{}", reason.zh));
        text.en.push_str(&format!("; {}", reason.en));
    }
    line(&found.reason, &text, &found.path)
}

fn line(kind: &str, text: &Text, path: &str) -> String {
    let kind = kind.to_uppercase();
    format!("{{errorType:'{kind}', description:'{} / {}', additionalInfo:'{path}'}}", text.en, text.zh)
}

fn only_values(subject: &Subject) -> Text {
    Text::new(
        "该主题属于信息资源,只有已发布资源现行一代的值模式随目录条目变更",
        format!(
            "subject {subject} is a resource's, of which only the value schema of the generation in force changes, with \
             its published entry"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_not_refused_for_good() {
        let told = |code| refused(&Subject::read("s"), Refusal::new(code, "", "")).error_code();
        let codes =
            [Code::TooManyAtOnce, Code::InvalidState, Code::SchemaIncompatible, Code::StoreUnavailable];
        assert_eq!(codes.map(told), [42901, 42205, 409, 50001]);
    }
}
