//! Who reads and by what right: decided before anything is read, and again whenever something was ended.

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::api_key::unauthenticated;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::decide;
use changtong_catalog::ids::{Generation, PurposeCode, SubscriptionId};
use changtong_catalog::ports::SubscriptionStanding;
use chrono::NaiveDate;

use super::super::{Gate, grant_level, refusals};
use super::position::hide;
use super::window::{Reader, Stakes};
use crate::limit::{Rates, Subject};

/// One read of a subscription that may be.
pub(super) struct Seat {
    pub caller: Caller,
    pub standing: SubscriptionStanding,
    pub purpose: PurposeCode,
    /// Of the records that are read: of a stream it may be an earlier one.
    pub generation: Generation,
    /// The day on which its call counts already, by the window that it opened or used.
    pub counted: Option<NaiveDate>,
}

impl Seat {
    pub fn reader(&self) -> Reader {
        Reader {
            subscription: self.standing.subscription.id,
            key: self.caller.key.clone(),
            purpose: self.purpose.clone(),
            generation: self.generation,
            grant_version: self.standing.grant.version,
        }
    }

    pub fn subscription(&self) -> SubscriptionId {
        self.standing.subscription.id
    }

    /// Gives up what only compiling needs: a reader that waits holds none of it.
    pub fn slim(&mut self) {
        let standing = &mut self.standing;
        standing.derived_schema.text = String::new();
        standing.resource.versions = Arc::default();
        standing.resource.key_schema = None;
        let file = &mut standing.resource.resource.file;
        (file.items, file.summary) = (Vec::new(), String::new());
    }

    pub fn stakes(&self) -> Stakes {
        Stakes {
            grant: self.standing.grant.id,
            resource: self.standing.grant.resource,
            agency: self.caller.agency,
            provider: self.standing.resource.resource.provider,
            account: self.caller.account,
            key: self.caller.key.clone(),
        }
    }
}

impl Gate {
    pub(super) async fn seat(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        purpose: Option<&str>,
    ) -> Result<Seat, Refusal> {
        self.admit()?;
        let standing =
            self.directory.subscription(subscription).await?.ok_or_else(refusals::no_subscription)?;
        let purpose = self.purpose(caller, &standing, purpose)?;
        let generation = standing.resource.resource.generation;
        Ok(Seat { caller: caller.clone(), standing, purpose, generation, counted: None })
    }

    /// Decides anew for a read that goes on: the caller was let in before something ended or changed.
    pub(super) async fn renew(&self, seat: &mut Seat) -> Result<(), Refusal> {
        let purpose = seat.purpose.as_str().to_owned();
        let caller = self.let_in(&seat.caller).await?;
        let now = self.seat(&caller, seat.standing.subscription.id, Some(&purpose)).await?;
        *seat = Seat { counted: seat.counted, ..now };
        Ok(())
    }

    /// Whether the read may still be, of which the reader goes on with what was decided.
    pub(super) async fn check_stands(&self, seat: &Seat) -> Result<(), Refusal> {
        let caller = self.let_in(&seat.caller).await?;
        self.seat(&caller, seat.subscription(), Some(seat.purpose.as_str())).await.map(drop)
    }

    /// The caller with the roles it has now, or why its key lets it in no more.
    pub(super) async fn let_in(&self, caller: &Caller) -> Result<Caller, Refusal> {
        let record = self.directory.key(&caller.key).await?.ok_or_else(unauthenticated)?;
        match record.fallen(self.clock.now()) {
            Some(fallen) => Err(fallen.refusal()),
            None => Ok(Caller { roles: record.roles, ..caller.clone() }),
        }
    }

    fn purpose(
        &self,
        caller: &Caller,
        standing: &SubscriptionStanding,
        purpose: Option<&str>,
    ) -> Result<PurposeCode, Refusal> {
        let (grant, resource) = (&standing.grant, &standing.resource.resource);
        let decision = decide::deliver(caller, grant, resource, purpose, self.clock.now());
        decision.check().map_err(hide)?.purpose.ok_or_else(refusals::fault)
    }

    /// How long the grant still lasts, `None` if it has ended; at most a day at a time.
    pub(super) fn lasts(&self, seat: &Seat) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(86_400);
        let Some(end) = seat.standing.grant.valid_until else { return Some(DAY) };
        let lasts = (end - self.clock.now()).to_std().ok()?;
        (!lasts.is_zero()).then(|| lasts.min(DAY))
    }

    /// The rates that a read of the seat weighs on.
    pub(super) fn levels(&self, seat: &Seat) -> Vec<(Subject, Rates)> {
        let mut levels = self.caller_levels(&seat.caller).to_vec();
        levels.push(self.resource_level(seat.standing.grant.resource));
        levels.push(grant_level(&seat.standing.grant));
        levels
    }
}
