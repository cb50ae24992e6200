//! A window for a poll: the one that still stands where it starts, or a new one, committed before the first byte.

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::clock::Time;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::decide;
use changtong_catalog::ids::{PurposeCode, WindowId};
use changtong_catalog::ports::{CloseReason, Opened, Opening, SubscriptionStanding, waits_for_windows};
use changtong_catalog::quota;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::{Gate, refusals};
use super::window::{Reader, Stakes, Window};
use super::windows::Windows;
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
            self.windows.close_out_of_calls(&reader);
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
        let committer = self.committer.clone();
        let asking = tokio::spawn(async move { committer.open(opening).await });
        let opened =
            Asking { windows: &self.windows, window: &window, answer: Some(asking) }.answer().await?;
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

/// A window on its way to the store and back. One that never opens is taken out of the books; one whose asker goes
/// away meanwhile is closed once it has opened, as nobody else would.
struct Asking<'a> {
    windows: &'a Arc<Windows>,
    window: &'a Arc<Window>,
    answer: Option<JoinHandle<Result<Opened, Refusal>>>,
}

impl Asking<'_> {
    async fn answer(mut self) -> Result<Opened, Refusal> {
        let Some(answer) = &mut self.answer else { return Err(refusals::fault()) };
        let opened = answer.await.unwrap_or_else(|_| Err(refusals::fault()));
        self.answer = None;
        opened.inspect_err(|_| self.windows.forget(self.window))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        let (windows, window) = (self.windows.clone(), self.window.clone());
        tokio::spawn(async move {
            match answer.await {
                Ok(Ok(opened)) => {
                    window.opened(&opened, Duration::ZERO);
                    windows.opened(&window, Duration::ZERO);
                    windows.close(&window, CloseReason::Reader);
                }
                _ => windows.forget(&window),
            }
        });
    }
}
