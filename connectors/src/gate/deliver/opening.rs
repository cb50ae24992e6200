//! A window for a poll: the one that still stands where it starts, or a new one, committed before the first byte.

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::decide;
use changtong_catalog::ids::{PurposeCode, WindowId};
use changtong_catalog::ports::{CloseReason, Opening, SubscriptionStanding, waits_for_windows};
use changtong_catalog::quota;
use tokio::time::{Instant, timeout_at};

use super::super::{Gate, refusals};
use super::window::{Reader, Stakes, Window};
use crate::fault;

/// Above W: how long the close of other windows may take to be committed.
const COMMIT: Duration = Duration::from_secs(1);

/// Who asks for a window, and for what.
pub(super) struct Asked<'a> {
    pub caller: &'a Caller,
    pub standing: &'a SubscriptionStanding,
    pub purpose: &'a PurposeCode,
}

impl Gate {
    /// The window in which a poll that starts at `from` lets its bytes out.
    pub(super) async fn window(&self, asked: &Asked<'_>, from: &[i64]) -> Result<Arc<Window>, Refusal> {
        let reader = Reader {
            subscription: asked.standing.subscription.id,
            key: asked.caller.key.clone(),
            purpose: asked.purpose.clone(),
        };
        let patience = Instant::now() + self.settings.window + COMMIT;
        loop {
            if let Some(window) = self.windows.resume(&reader, from, self.clock.monotonic()) {
                return Ok(window);
            }
            let mut closings = self.windows.closings();
            let refusal = match self.open(asked, &reader, from).await {
                Err(refusal) if waits_for_windows(&refusal) => refusal,
                opened => return opened,
            };
            // Other windows hold what is left; they close within W.
            match timeout_at(patience, closings.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(refusal),
            }
        }
    }

    async fn open(&self, asked: &Asked<'_>, reader: &Reader, from: &[i64]) -> Result<Arc<Window>, Refusal> {
        let (now, before) = (self.clock.now(), self.clock.monotonic());
        let opening = self.opening(asked, now, from);
        let grant = &asked.standing.grant;
        let stakes = Stakes {
            grant: grant.id,
            resource: grant.resource,
            agency: asked.caller.agency,
            account: asked.caller.account,
            key: asked.caller.key.clone(),
        };
        let window = Window::opening(opening.window, reader.clone(), stakes, from);
        self.windows.add(&window);
        let forget = Forget { gate: self, window: Some(&window) };
        let opened = self.committer.open(opening).await?;
        forget.keep();
        fault::point(fault::OPENED);
        let granted = (opened.until - now).to_std().unwrap_or(Duration::ZERO);
        let lasts = granted.min(self.settings.window);
        let stands = window.opened(&opened, before + lasts);
        self.windows.opened(&window, lasts);
        if stands {
            return Ok(window);
        }
        // Ended between its commit and now: nothing has left, and nothing will.
        self.windows.close(&window, CloseReason::Ended);
        Err(self.why_ended(asked.caller, asked.standing).await)
    }

    fn opening(&self, asked: &Asked<'_>, now: Time, from: &[i64]) -> Opening {
        let (standing, grant) = (asked.standing, &asked.standing.grant);
        let day = quota::day(now, self.settings.zone);
        let lasts = chrono::Duration::from_std(self.settings.window).unwrap_or_default();
        Opening {
            window: WindowId(self.ids.uuid(now)),
            caller: asked.caller.clone(),
            subscription: standing.subscription.id,
            grant: grant.id,
            grant_version: grant.version,
            resource: grant.resource,
            generation: standing.resource.resource.generation,
            purpose: asked.purpose.as_str().to_owned(),
            from: from.to_vec(),
            until: grant.valid_until.map_or(now + lasts, |end| end.min(now + lasts)),
            most: i64::try_from(self.settings.window_records).unwrap_or(i64::MAX),
            calls_per_day: grant.limits.calls_per_day,
            records_per_day: grant.limits.records_per_day,
            day: day.date,
            resets_at: day.resets_at,
        }
    }

    /// Why a delivery was ended, as the next call would be told.
    pub(super) async fn why_ended(&self, caller: &Caller, standing: &SubscriptionStanding) -> Refusal {
        match self.directory.subscription(standing.subscription.id).await {
            Ok(Some(now)) => {
                let (grant, resource) = (&now.grant, &now.resource.resource);
                let purpose = grant.purposes.first().map(|purpose| purpose.code.as_str());
                let decision = decide::deliver(caller, grant, resource, purpose, self.clock.now());
                decision.check().err().unwrap_or_else(refusals::ended)
            }
            Ok(None) => refusals::no_subscription(),
            Err(refusal) => refusal,
        }
    }
}

/// Takes a window that was asked for and never opened out of the books, also if its asker goes away meanwhile.
struct Forget<'a> {
    gate: &'a Gate,
    window: Option<&'a Arc<Window>>,
}

impl Forget<'_> {
    fn keep(mut self) {
        self.window = None;
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(window) = self.window {
            self.gate.windows.forget(window);
        }
    }
}
