//! Which attempts of a group count (protocol.md 3): pure, one after the other, each seeing what those before it took.

use std::collections::{BTreeMap, BTreeSet};

use super::super::idempotency::{Scope, reused, scope};
use super::super::sources::{START, SourceKey, SourceState};
use super::super::visibility::{NewRun, TopicKey, Views};
use super::facts::Facts;
use super::texts;
use crate::audit::Digest;
use crate::error::Refusal;
use crate::grant::decide;
use crate::ids::{BatchId, EventId, QuarantineId};
use crate::ports::{Attempt, DeadRuns};
use crate::visibility::{MOST_RUNS, Misreport, Run, StoredRun, Verdict, merge};

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// It counts.
    Committed,
    /// The attempt of that place in the group has the same key and counts.
    SameAs(usize),
    /// An earlier commit has the same key: the batch that counts, how many it set aside, and its event.
    Stored {
        batch: BatchId,
        quarantined: i64,
        event: EventId,
    },
    Lost(Refusal),
}

/// The state that one attempt after the other is judged against, and what is to be written.
pub(super) struct Publishing<'g> {
    facts: &'g Facts,
    views: Views,
    /// Keys taken by attempts of this group.
    taken: BTreeMap<Scope, (usize, [u8; 16])>,
    sources: BTreeMap<SourceKey, SourceState>,
    committed: BTreeMap<TopicKey, Vec<Run>>,
    dead: BTreeMap<TopicKey, Vec<Run>>,
    /// Records set aside that attempts of this group publish again.
    replayed: BTreeSet<QuarantineId>,
    pub fates: Vec<Fate>,
}

pub(super) fn source_key(attempt: &Attempt) -> Option<SourceKey> {
    attempt.source.as_ref().map(|step| (attempt.resource, step.connector.clone()))
}

impl<'g> Publishing<'g> {
    pub(super) fn judge(facts: &'g Facts, attempts: &[Attempt], dead: &[DeadRuns]) -> Self {
        let mut all = Self {
            facts,
            views: facts.views.clone(),
            taken: BTreeMap::new(),
            sources: BTreeMap::new(),
            committed: BTreeMap::new(),
            dead: BTreeMap::new(),
            replayed: BTreeSet::new(),
            fates: Vec::with_capacity(attempts.len()),
        };
        for (place, attempt) in attempts.iter().enumerate() {
            let fate = all.admit(attempt).unwrap_or_else(|lost| lost);
            match fate {
                Fate::Committed => all.count(place, attempt),
                // Its offsets are true and will never count: what no run covers is dead.
                _ => all.bury((attempt.resource, attempt.generation), &attempt.runs),
            }
            all.fates.push(fate);
        }
        for group in dead {
            all.bury((group.resource, group.generation), &group.runs);
        }
        all
    }

    /// `Err` is how it lost; only what loses by its key gets the winner's answer.
    fn admit(&self, attempt: &Attempt) -> Result<Fate, Fate> {
        self.claim_is_free(attempt)?;
        let lost = self
            .is_well_formed(attempt)
            .and_then(|()| self.source_is_at(attempt))
            .and_then(|()| self.stands(attempt))
            .and_then(|()| self.replays_what_waits(attempt))
            .and_then(|()| self.is_in_time(attempt));
        lost.map(|()| Fate::Committed).map_err(Fate::Lost)
    }

    fn claim_is_free(&self, attempt: &Attempt) -> Result<(), Fate> {
        let Some(claim) = &attempt.claim else { return Ok(()) };
        let (hash, same) = if let Some((place, hash)) = self.taken.get(&scope(claim)) {
            (*hash, Fate::SameAs(*place))
        } else if let Some(stored) = self.facts.claims.get(&scope(claim)) {
            let (batch, quarantined, event) = (stored.batch, stored.quarantined, stored.event);
            (stored.hash, Fate::Stored { batch, quarantined, event })
        } else {
            return Ok(());
        };
        Err(if hash == claim.hash { same } else { Fate::Lost(reused()) })
    }

    /// What would spoil a statement or an event for the whole group: the border lets none of it in.
    fn is_well_formed(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let claim = attempt.claim.iter().all(|claim| visible(&claim.key) && visible(&claim.object));
        let step =
            attempt.source.iter().all(|it| [&it.connector, &it.from, &it.to].iter().all(|it| visible(it)));
        let runs: BTreeSet<&Run> = attempt.runs.iter().collect();
        let runs = runs.len() == attempt.runs.len()
            && attempt.runs.iter().all(|run| 0 <= run.first && run.first <= run.last);
        if attempt.runs.len() > MOST_RUNS {
            return Err(Misreport::Scattered(attempt.runs.clone()).into());
        }
        if claim && step && runs && attempt.fingerprint.parse::<Digest>().is_ok() {
            return Ok(());
        }
        Err(texts::malformed())
    }

    fn source_is_at(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let (Some(key), Some(step)) = (source_key(attempt), &attempt.source) else { return Ok(()) };
        let state = self.sources.get(&key).or_else(|| self.facts.sources.get(&key));
        if state.is_some_and(|state| state.account != attempt.caller.account) {
            return Err(texts::source_foreign());
        }
        let stored = state.map_or(START, |state| &state.position);
        if stored == step.from { Ok(()) } else { Err(texts::source_position(stored)) }
    }

    fn stands(&self, attempt: &Attempt) -> Result<(), Refusal> {
        if !self.facts.standing.contains(&attempt.caller.key) {
            return Err(texts::no_credential());
        }
        let resource = self.facts.resources.get(&attempt.resource);
        let resource = resource.ok_or_else(|| Refusal::not_found("信息资源", "resource"))?;
        if let Some(refusal) = decide::publish(&attempt.caller, resource).refusal {
            return Err(refusal);
        }
        if resource.generation == attempt.generation { Ok(()) } else { Err(texts::too_late()) }
    }

    fn replays_what_waits(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let Some(id) = attempt.replays else { return Ok(()) };
        let waits = self.facts.waiting.contains(&(id, attempt.resource)) && !self.replayed.contains(&id);
        if waits { Ok(()) } else { Err(texts::not_waiting()) }
    }

    /// Not below `settled`, and no stored run of any verdict touched (protocol.md 3b).
    fn is_in_time(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let topic = (attempt.resource, attempt.generation);
        let views = self.views.get(&topic).ok_or_else(texts::too_late)?;
        for run in &attempt.runs {
            let part = usize::try_from(run.partition).ok().and_then(|part| views.get(part));
            let view = part.ok_or_else(texts::malformed)?;
            view.admit(run.first, run.last).map_err(|_| texts::too_late())?;
        }
        Ok(())
    }

    fn count(&mut self, place: usize, attempt: &Attempt) {
        let topic = (attempt.resource, attempt.generation);
        for run in &attempt.runs {
            self.cover(topic, *run, Verdict::Committed);
        }
        self.committed.entry(topic).or_default().extend(&attempt.runs);
        if let Some(claim) = &attempt.claim {
            self.taken.insert(scope(claim), (place, claim.hash));
        }
        if let (Some(key), Some(step)) = (source_key(attempt), &attempt.source) {
            let account = attempt.caller.account;
            self.sources.insert(key, SourceState { account, position: step.to.clone() });
        }
        self.replayed.extend(attempt.replays);
    }

    /// Records dead offsets where no run lies and not below `settled`.
    fn bury(&mut self, topic: TopicKey, runs: &[Run]) {
        for run in runs.iter().filter(|run| 0 <= run.first && run.first <= run.last) {
            let part = usize::try_from(run.partition).ok();
            let view = part.and_then(|part| self.views.get(&topic).and_then(|views| views.get(part)));
            let free = view.map(|view| view.free(run.first, run.last)).unwrap_or_default();
            for part in free {
                let dead = Run { partition: run.partition, first: part.first, last: part.last };
                self.cover(topic, dead, Verdict::Dead);
                self.dead.entry(topic).or_default().push(dead);
            }
        }
    }

    fn cover(&mut self, topic: TopicKey, run: Run, verdict: Verdict) {
        let part = usize::try_from(run.partition).ok();
        let view = part.and_then(|part| self.views.get_mut(&topic).and_then(|views| views.get_mut(part)));
        if let Some(view) = view {
            // It was admitted just before.
            let _ = view.insert(StoredRun { first: run.first, last: run.last, verdict });
        }
    }

    /// The runs to be written, merged per partition over the group.
    pub(super) fn runs(&self) -> Vec<NewRun> {
        let verdicts = [(&self.committed, Verdict::Committed), (&self.dead, Verdict::Dead)];
        verdicts
            .into_iter()
            .flat_map(|(topics, verdict)| topics.iter().map(move |(topic, runs)| (topic, runs, verdict)))
            .flat_map(|(topic, runs, verdict)| {
                merge(runs.clone()).into_iter().map(move |run| (*topic, run, verdict))
            })
            .collect()
    }

    /// The positions of sources that moved.
    pub(super) fn sources(&self) -> &BTreeMap<SourceKey, SourceState> {
        &self.sources
    }

    /// The attempts that count, with their places.
    pub(super) fn committed<'a>(
        &'a self,
        attempts: &'a [Attempt],
    ) -> impl Iterator<Item = (usize, &'a Attempt)> {
        let fates = self.fates.iter().zip(attempts).enumerate();
        fates.filter(|(_, (fate, _))| **fate == Fate::Committed).map(|(place, (_, attempt))| (place, attempt))
    }
}
