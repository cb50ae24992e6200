//! Which windows open and close and which positions move (protocol.md 6): pure, one member after the other; closings
//! first, so that what they give back can be reserved again in the same group.

use std::collections::{BTreeMap, BTreeSet};

use super::super::positions::Position;
use super::super::quotas::{QuotaKey, QuotaUse};
use super::super::windows::{LetOut, LetOutKey, NewWindow, OpenWindow, farther};
use super::facts::Facts;
use super::texts;
use crate::audit::{Actor, DeliverAcked, DeliverClosed, DeliverOpened, DeliverSought, Digest, What};
use crate::clock::Time;
use crate::cursor::Cursor;
use crate::error::Refusal;
use crate::grant::decide::{self, POLICY};
use crate::ids::{SubscriptionId, WindowId};
use crate::ports::{Ack, CloseReason, Closing, Group, Opened, Opening, Seek};
use crate::quota::{DayUse, Quota};
use crate::resource::Kind;

/// An event without id and time.
pub(super) type Said = (Actor, What);

pub(super) struct Delivering<'g> {
    facts: &'g Facts,
    now: Time,
    pub quotas: BTreeMap<QuotaKey, QuotaUse>,
    pub let_out: BTreeMap<LetOutKey, LetOut>,
    pub closed: BTreeSet<WindowId>,
    pub opened: Vec<NewWindow<'g>>,
    /// Positions after the group, of those that moved.
    pub positions: BTreeMap<SubscriptionId, Position>,
    /// The last acknowledgement that moved a position: one event for a position and group.
    acked: BTreeMap<SubscriptionId, Said>,
    pub said: Vec<Said>,
    pub openings: Vec<Result<Opened, Refusal>>,
    pub acks: Vec<Result<(), Refusal>>,
    pub seeks: Vec<Result<i32, Refusal>>,
}

impl<'g> Delivering<'g> {
    pub(super) fn judge(facts: &'g Facts, group: &'g Group, now: Time) -> Self {
        let mut all = Self {
            facts,
            now,
            quotas: BTreeMap::new(),
            let_out: BTreeMap::new(),
            closed: BTreeSet::new(),
            opened: Vec::new(),
            positions: BTreeMap::new(),
            acked: BTreeMap::new(),
            said: Vec::new(),
            openings: Vec::new(),
            acks: Vec::new(),
            seeks: Vec::new(),
        };
        group.closings.iter().for_each(|closing| all.close(closing));
        for opening in &group.openings {
            let answer = all.open(opening);
            all.openings.push(answer);
        }
        for ack in &group.acks {
            let answer = all.ack(ack);
            all.acks.push(answer);
        }
        let acked = std::mem::take(&mut all.acked);
        all.said.extend(acked.into_values());
        for seek in &group.seeks {
            let answer = all.seek(seek);
            all.seeks.push(answer);
        }
        all
    }

    fn quota(&mut self, key: QuotaKey) -> &mut QuotaUse {
        let stored = self.facts.quotas.get(&key).copied().unwrap_or_default();
        self.quotas.entry(key).or_insert(stored)
    }

    /// A window that is closed already has had its event: a closing repeated after an unknown commit changes nothing.
    fn close(&mut self, closing: &Closing) {
        let facts = self.facts;
        let Some(window) = facts.windows.get(&closing.window) else { return };
        if !self.closed.insert(window.id) {
            return;
        }
        let known = closing.reason != CloseReason::Unknown;
        let quota = self.quota((window.grant_id, window.day));
        quota.reserved = (quota.reserved - window.most).max(0);
        // Of a window found open nobody knows how much left: it counts as all of it.
        quota.records += if known { closing.sent } else { window.most };
        quota.calls += closing.further_calls;
        self.reach(window, &closing.let_out);

        let reader =
            Actor::Key { agency: window.agency, account: window.account, key: window.key_id.clone() };
        let what = DeliverClosed {
            window: window.id,
            grant: window.grant_id,
            resource: window.resource,
            subscription: window.subscription,
            reason: closing.reason,
            let_out: closing.let_out.clone(),
            through: known.then(|| closing.through.clone()),
            sent: known.then_some(closing.sent),
            passed_over: known.then_some(closing.passed_over),
            bytes: known.then_some(closing.bytes),
            digest: closing.digest.parse().ok().filter(|_| known),
            most: (!known).then_some(window.most),
        };
        self.said.push((if known { reader } else { Actor::Server }, what.into()));
    }

    /// Keeps how far the window let out, per subscription and key.
    fn reach(&mut self, window: &OpenWindow, let_out: &[i64]) {
        let key = (window.subscription, window.key_id.clone());
        let stored = self.facts.let_out.get(&key).cloned().unwrap_or_else(|| LetOut {
            account: window.account,
            agency: window.agency,
            grant: window.grant_id,
            resource: window.resource,
            generation: window.generation,
            offsets: Vec::new(),
        });
        self.let_out.entry(key).or_insert(stored).reach(window.generation, let_out);
    }

    fn open(&mut self, opening: &'g Opening) -> Result<Opened, Refusal> {
        let facts = self.facts;
        if !facts.standing.contains(&opening.caller.key) {
            return Err(texts::no_credential());
        }
        let not_found = || Refusal::not_found("授权", "grant");
        let grant = facts.grants.get(&opening.grant).ok_or_else(not_found)?;
        let resource = facts.resources.get(&grant.resource).ok_or_else(not_found)?;
        let subscription = facts.positions.get(&opening.subscription);
        if subscription.is_none_or(|it| it.grant != grant.id) || opening.resource != grant.resource {
            return Err(Refusal::not_found("订阅", "subscription"));
        }
        if resource.provider != opening.provider {
            return Err(not_found());
        }
        let decision =
            decide::deliver(&opening.caller, grant, resource, Some(&opening.purpose), self.now).check()?;
        let purpose = decision.purpose.ok_or_else(not_found)?;
        if grant.version != opening.grant_version {
            return Err(texts::grant_changed(grant.version));
        }
        // Of a stream what an earlier generation still holds is read to its end.
        let earlier = resource.file.kind == Kind::Stream && opening.generation < resource.generation;
        if resource.generation != opening.generation && !earlier {
            return Err(texts::view_changed());
        }
        let most = self.reserve(opening)?;
        let until = grant.valid_until.map_or(opening.until, |end| opening.until.min(end));
        self.opened.push(NewWindow {
            row: OpenWindow {
                id: opening.window,
                subscription: opening.subscription,
                grant_id: opening.grant,
                resource: opening.resource,
                generation: opening.generation,
                agency: opening.caller.agency,
                account: opening.caller.account,
                key_id: opening.caller.key.clone(),
                most,
                day: opening.day,
            },
            from: &opening.from,
        });
        let what = DeliverOpened {
            window: opening.window,
            grant: opening.grant,
            version: opening.grant_version,
            resource: opening.resource,
            generation: opening.generation,
            subscription: opening.subscription,
            purpose,
            from: opening.from.clone(),
            most,
            until,
            policy: POLICY,
        };
        self.said.push((Actor::from(&opening.caller), what.into()));
        let calls = self.quota((opening.grant, opening.day)).calls;
        Ok(Opened { window: opening.window, until, most, calls })
    }

    /// One call where it counts, and as many records as are asked for and left.
    fn reserve(&mut self, opening: &Opening) -> Result<i64, Refusal> {
        let later = |refusal: Refusal| {
            let wait = (opening.resets_at - opening.until).to_std().unwrap_or_default();
            refusal.retry_after(wait)
        };
        let quota = self.quota((opening.grant, opening.day));
        if let Some(value) = opening.calls_per_day.filter(|_| opening.counts) {
            let day = DayUse { value, used: quota.calls, reserved: 0 };
            Quota::Calls.take(1, &day, opening.resets_at).map_err(later)?;
        }
        let mut most = opening.most;
        if let Some(value) = opening.records_per_day {
            let day = DayUse { value, used: quota.records, reserved: quota.reserved };
            let asked = most.min(day.share(opening.readers));
            most = Quota::Records.take(asked, &day, opening.resets_at).map_err(later)?;
        }
        quota.calls += i64::from(opening.counts);
        quota.reserved += most;
        Ok(most)
    }

    /// The position as it stands after what the group has moved so far.
    fn position(&self, id: SubscriptionId) -> Result<&Position, Refusal> {
        let moved = self.positions.get(&id).or_else(|| self.facts.positions.get(&id));
        moved.ok_or_else(|| Refusal::not_found("订阅", "subscription"))
    }

    fn ack(&mut self, ack: &Ack) -> Result<(), Refusal> {
        let (id, cursor) = (ack.cursor.subscription, &ack.cursor);
        let stored = self.position(id)?.clone();
        self.may_move(&stored, &ack.caller)?;
        let digest: Option<Digest> =
            ack.digest.as_deref().map(str::parse).transpose().map_err(|_| texts::bad_digest())?;
        if cursor.seek_count < stored.seek_count {
            return Err(texts::superseded(stored.seek_count));
        }
        if cursor.seek_count > stored.seek_count {
            return Err(texts::foreign_cursor());
        }
        let mut moved = stored.clone();
        if cursor.view == stored.view {
            let table = self.kind(&stored) == Some(Kind::Table);
            if table && cursor.view != ack.view {
                return Err(texts::view_changed());
            }
            // A position from before the first publish holds no offsets yet.
            let begun = !cursor.next.is_empty() && !stored.next.is_empty();
            if begun && cursor.next.len() != stored.next.len() {
                return Err(texts::foreign_cursor());
            }
            farther(&mut moved.next, &cursor.next);
        } else if cursor.view == ack.view && !self.is_over(&stored, cursor) || self.goes_on(&stored, cursor) {
            (moved.view, moved.generation) = (cursor.view, cursor.generation);
            moved.next = cursor.next.clone();
        } else if self.kind(&stored) == Some(Kind::Stream) && cursor.generation < stored.generation {
            // What it acknowledges lies before the position.
            return Ok(());
        } else {
            return Err(texts::view_changed());
        }
        if (moved.view, &moved.next) == (stored.view, &stored.next) {
            return Ok(());
        }
        moved.acked_at = Some(self.now);
        let what = DeliverAcked {
            subscription: id,
            grant: stored.grant,
            resource: stored.resource,
            generation: moved.generation,
            seek_count: moved.seek_count,
            position: moved.next.clone(),
            window: ack.window,
            digest,
        };
        self.acked.insert(id, (Actor::from(&ack.caller), what.into()));
        self.positions.insert(id, moved);
        Ok(())
    }

    fn seek(&mut self, seek: &Seek) -> Result<i32, Refusal> {
        let mut moved = self.position(seek.subscription)?.clone();
        self.may_move(&moved, &seek.caller)?;
        moved.seek_count += 1;
        (moved.view, moved.generation) = (seek.view, seek.generation);
        moved.next = seek.position.clone();
        let what = DeliverSought {
            subscription: seek.subscription,
            grant: moved.grant,
            resource: moved.resource,
            generation: moved.generation,
            seek_count: moved.seek_count,
            position: moved.next.clone(),
        };
        self.said.push((Actor::from(&seek.caller), what.into()));
        let seek_count = moved.seek_count;
        self.positions.insert(seek.subscription, moved);
        Ok(seek_count)
    }

    fn may_move(&self, position: &Position, caller: &crate::account::Caller) -> Result<(), Refusal> {
        if !self.facts.standing.contains(&caller.key) {
            return Err(texts::no_credential());
        }
        if position.consumer == caller.agency {
            return Ok(());
        }
        Err(Refusal::not_found("订阅", "subscription"))
    }

    fn kind(&self, position: &Position) -> Option<Kind> {
        self.facts.resources.get(&position.resource).map(|resource| resource.file.kind)
    }

    /// Another generation of a table came into force since it was judged which view is.
    fn is_over(&self, position: &Position, cursor: &Cursor) -> bool {
        let resource = self.facts.resources.get(&position.resource);
        resource.is_some_and(|it| it.file.kind == Kind::Table && cursor.generation < it.generation)
    }

    /// A stream's reader is in a later generation than its position, though not yet in the one in force.
    fn goes_on(&self, position: &Position, cursor: &Cursor) -> bool {
        self.kind(position) == Some(Kind::Stream) && cursor.generation > position.generation
    }
}
