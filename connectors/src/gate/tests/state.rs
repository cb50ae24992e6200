//! What a store in memory holds, and what one commit changes of it.

use std::collections::BTreeMap;

use changtong_catalog::api_key::Fallen;
use changtong_catalog::clock::Time;
use changtong_catalog::cursor::farther;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::{Grant, Subscription, decide};
use changtong_catalog::ids::{
    AccountId, BatchId, EventId, Generation, GrantId, KeyId, ResourceNumber, SchemaId, SubscriptionId,
    WindowId,
};
use changtong_catalog::ports::*;
use changtong_catalog::quota::{DayUse, Quota};
use changtong_catalog::visibility::{PartitionView, Run, StoredRun, Verdict};

type TopicKey = (ResourceNumber, Generation);
type ClaimName = (AccountId, String, String, String);

#[derive(Default)]
pub struct State {
    pub resource: Option<ResourceStanding>,
    pub grant: Option<Grant>,
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub views: BTreeMap<TopicKey, Vec<PartitionView>>,
    pub claims: BTreeMap<ClaimName, ([u8; 16], Receipt)>,
    pub sources: BTreeMap<String, String>,
    pub set_aside: Vec<QuarantinedRecord>,
    pub receipts: BTreeMap<BatchId, Receipt>,
    pub windows: BTreeMap<WindowId, (Opening, Option<Closing>)>,
    pub ended_keys: BTreeMap<KeyId, Fallen>,
    pub floors: BTreeMap<(GrantId, Generation), Vec<i64>>,
    /// Topics of the generations, where a test has several.
    pub edges: Vec<TopicEdges>,
    pub acks: Vec<Ack>,
    pub late: Option<Group>,
    pub calls_used: i64,
    pub records_used: i64,
    pub records_reserved: i64,
    /// What happens while an opening is refused for the records of the day.
    pub refusing: Option<Box<dyn FnMut() + Send>>,
}

impl State {
    fn attempt(&mut self, attempt: &Attempt) -> Result<Receipt, Refusal> {
        if let Some(claim) = &attempt.claim
            && let Some((hash, receipt)) = self.claims.get(&name(claim))
        {
            if *hash != claim.hash {
                return Err(reused());
            }
            return Ok(Receipt { replayed: true, ..receipt.clone() });
        }
        if let Some(step) = &attempt.source {
            let stored = self.sources.get(&step.connector).map_or("-", String::as_str);
            if stored != step.from {
                return Err(Refusal::new(Code::SourcePosition, "位置不符", "not the position"));
            }
        }
        let resource = self.resource.as_ref().unwrap();
        decide::publish(&attempt.caller, &resource.resource).check()?;
        let views = self.views.get_mut(&(attempt.resource, attempt.generation)).unwrap();
        for run in &attempt.runs {
            let late = |_| Refusal::new(Code::AttemptTooLate, "过迟", "too late");
            views[run.partition as usize].admit(run.first, run.last).map_err(late)?;
        }
        for run in &attempt.runs {
            let stored = StoredRun { first: run.first, last: run.last, verdict: Verdict::Committed };
            views[run.partition as usize].insert(stored).unwrap();
        }
        let receipt = Receipt {
            batch: attempt.batch,
            accepted: attempt.accepted,
            quarantined: attempt.quarantined.len() as i64,
            schema: SchemaId(7),
            runs: attempt.runs.clone(),
            event: EventId(attempt.batch.0),
            leaf_sha256: String::new(),
            replayed: false,
        };
        if let Some(claim) = &attempt.claim {
            self.claims.insert(name(claim), (claim.hash, receipt.clone()));
        }
        if let Some(step) = &attempt.source {
            self.sources.insert(step.connector.clone(), step.to.clone());
        }
        self.set_aside.extend(attempt.quarantined.iter().cloned());
        self.receipts.insert(attempt.batch, receipt.clone());
        Ok(receipt)
    }

    fn bury(&mut self, key: TopicKey, runs: &[Run]) {
        let Some(views) = self.views.get_mut(&key) else { return };
        for run in runs {
            let view = &mut views[run.partition as usize];
            for part in view.free(run.first, run.last) {
                view.insert(part).unwrap();
            }
        }
    }

    fn open(&mut self, opening: &Opening, now: Time) -> Result<Opened, Refusal> {
        let grant = self.grant.as_ref().unwrap();
        let resource = &self.resource.as_ref().unwrap().resource;
        decide::deliver(&opening.caller, grant, resource, Some(&opening.purpose), now).check()?;
        if grant.version != opening.grant_version {
            return Err(Refusal::new(Code::PreconditionFailed, "授权已变更", "the grant has changed"));
        }
        if self.ended_keys.contains_key(&opening.caller.key) {
            return Err(Refusal::new(Code::Unauthenticated, "密钥无效", "no key"));
        }
        if let Some(value) = opening.calls_per_day.filter(|_| opening.counts) {
            let day = DayUse { value, used: self.calls_used, reserved: 0 };
            Quota::Calls.take(1, &day, opening.resets_at)?;
        }
        let mut most = opening.most;
        if let Some(value) = opening.records_per_day {
            let day = DayUse { value, used: self.records_used, reserved: self.records_reserved };
            let taken = Quota::Records.take(most.min(day.share(opening.readers)), &day, opening.resets_at);
            if let (Err(_), Some(meanwhile)) = (&taken, &mut self.refusing) {
                meanwhile();
            }
            most = taken?;
        }
        self.calls_used += i64::from(opening.counts);
        self.records_reserved += most;
        let asked = Opening { most, ..opening.clone() };
        assert!(self.windows.insert(opening.window, (asked, None)).is_none());
        Ok(Opened { window: opening.window, until: opening.until, most, calls: self.calls_used })
    }

    fn close(&mut self, closing: &Closing) {
        let Some((opening, stored @ None)) = self.windows.get_mut(&closing.window) else { return };
        assert!(closing.sent <= opening.most, "no more leaves than was reserved");
        *stored = Some(closing.clone());
        self.records_reserved -= opening.most;
        self.records_used += closing.sent;
        self.calls_used += closing.further_calls;
    }

    fn ack(&mut self, ack: &Ack) -> Result<(), Refusal> {
        let stored = self.subscriptions.get_mut(&ack.cursor.subscription).unwrap();
        stored.position = if stored.view == ack.cursor.view {
            farther(&stored.position, &ack.cursor.next)
        } else {
            ack.cursor.next.clone()
        };
        (stored.view, stored.generation) = (ack.cursor.view, ack.cursor.generation);
        self.acks.push(ack.clone());
        Ok(())
    }

    fn seek(&mut self, seek: &Seek) -> Result<i32, Refusal> {
        let stored = self.subscriptions.get_mut(&seek.subscription).unwrap();
        stored.seek_count += 1;
        (stored.view, stored.generation) = (seek.view, seek.generation);
        stored.position = seek.position.clone();
        Ok(stored.seek_count)
    }

    pub fn apply(&mut self, group: &Group, now: Time) -> Answers {
        let attempts: Vec<_> = group.attempts.iter().map(|attempt| self.attempt(attempt)).collect();
        for (attempt, answer) in group.attempts.iter().zip(&attempts) {
            if answer.as_ref().is_ok_and(|receipt| receipt.batch == attempt.batch) {
                continue;
            }
            self.bury((attempt.resource, attempt.generation), &attempt.runs);
        }
        group.dead.iter().for_each(|dead| self.bury((dead.resource, dead.generation), &dead.runs));
        group.closings.iter().for_each(|closing| self.close(closing));
        Answers {
            attempts,
            openings: group.openings.iter().map(|opening| self.open(opening, now)).collect(),
            acks: group.acks.iter().map(|ack| self.ack(ack)).collect(),
            seeks: group.seeks.iter().map(|seek| self.seek(seek)).collect(),
        }
    }
}

pub fn name(claim: &Claim) -> ClaimName {
    (claim.account, claim.action.clone(), claim.object.clone(), claim.key.clone())
}

pub fn reused() -> Refusal {
    Refusal::new(Code::IdempotencyKeyReused, "幂等键已用于其他内容", "the key was used with another body")
}
