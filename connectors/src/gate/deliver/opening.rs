//! A window for a read: the reader's own that still stands where the call began, or a new one, committed before the
//! first byte.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::account::Caller;
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::ports::{CloseReason, Opened, Opening, SubscriptionStanding, waits_for_windows};
use changtong_catalog::quota::{self, Day, DayUse, Quota};
use changtong_catalog::window;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::{Gate, refusals};
use super::daily::{Calls, Counted};
use super::seat::Seat;
use super::waiting::Waiting;
use super::window::Window;
use super::windows::Windows;
use crate::fault;

/// Above W: how long the close of other windows may take to be committed (protocol.md 6: nobody waits for longer).
const COMMIT: Duration = Duration::from_secs(1);

impl Gate {
    /// The window in which a call that began at `at` lets out what lies from `from` on.
    pub(super) async fn window(
        &self,
        seat: &mut Seat,
        waiting: &Waiting,
        at: &[i64],
        from: &[i64],
    ) -> Result<Arc<Window>, Refusal> {
        if let Some(window) = self.windows.resume(&seat.reader(), at, self.clock.monotonic()) {
            return self.go_on(seat, window);
        }
        self.open_in_turn(seat, waiting, from).await
    }

    /// A new window, after those that waited for the grant's quota before.
    pub(super) async fn open_in_turn(
        &self,
        seat: &mut Seat,
        waiting: &Waiting,
        from: &[i64],
    ) -> Result<Arc<Window>, Refusal> {
        let pace = self.windows.pace.turn(seat.subscription());
        self.while_it_stands(seat, waiting, pace).await??;
        let grant = seat.standing.grant.id;
        if !self.windows.turns.is_waited_for(grant) {
            match self.open(seat, from, 1).await {
                Err(refusal) if waits_for_windows(&refusal) => {}
                opened => return opened,
            }
        }
        let waiter = self.windows.turns.join(grant);
        // Those that are open now close until then, wherever in the line it stands; who still has no turn asks once more.
        let until = Instant::now() + self.settings.window + COMMIT;
        let _turn = self.while_it_stands(seat, waiting, timeout_at(until, waiter.turn())).await?;
        let mut closings = waiter.closings();
        loop {
            closings.mark_unchanged();
            let refusal = match self.open(seat, from, waiter.readers()).await {
                Err(refusal) if waits_for_windows(&refusal) => refusal,
                opened => return opened,
            };
            // Other windows hold what is left, and none opens meanwhile but for those that waited before.
            let closed = timeout_at(until, closings.changed());
            let closed = self.while_it_stands(seat, waiting, closed).await?;
            // However many close while it asks, it asks no longer than that.
            if !matches!(closed, Ok(Ok(()))) || Instant::now() >= until {
                return Err(refusal.retry_after(self.settings.window));
            }
        }
    }

    /// Waits as long as what the read rests on stands; then why it does not. The seat stays as it was decided upon: what
    /// was read is of the grant's version then.
    async fn while_it_stands<T>(
        &self,
        seat: &Seat,
        waiting: &Waiting,
        wait: impl Future<Output = T>,
    ) -> Result<T, Refusal> {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                biased;
                () = waiting.told() => self.check_stands(seat).await?,
                done = &mut wait => return Ok(done),
            }
        }
    }

    /// A further call in an open window counts on the window's day.
    fn go_on(&self, seat: &mut Seat, window: Arc<Window>) -> Result<Arc<Window>, Refusal> {
        if seat.counted == Some(window.day) {
            return Ok(window);
        }
        if let Some(value) = seat.standing.grant.limits.calls_per_day {
            let calls = self.windows.daily.of(seat.standing.grant.id, window.day);
            if let Counted::No(used) = calls.take(value) {
                window.let_go();
                return Err(self.no_calls(value, used));
            }
        }
        window.count_call();
        seat.counted = Some(window.day);
        Ok(window)
    }

    /// Opens one, with the call counted where it has to be.
    async fn open(&self, seat: &mut Seat, from: &[i64], readers: i64) -> Result<Arc<Window>, Refusal> {
        let now = self.clock.now();
        let day = quota::day(now, self.settings.zone);
        let counts = seat.counted != Some(day.date);
        let mut opening = self.opening(seat, now, &day, from)?;
        (opening.counts, opening.readers) = (counts, readers);
        let limit = opening.calls_per_day.filter(|_| counts);
        let Some(value) = limit else {
            let (window, _) = self.ask(seat, opening, now, None).await?;
            seat.counted = Some(day.date);
            return self.standing(seat, window).await;
        };
        let calls = self.windows.daily.of(seat.standing.grant.id, day.date);
        let _first = calls.first().await;
        let counted = calls.take(value);
        if let Counted::No(used) = counted {
            return Err(self.no_calls(value, used));
        }
        let here = (counted == Counted::Here).then(|| calls.clone());
        let (window, opened) = self.ask(seat, opening, now, here).await?;
        if counted == Counted::ByTheStore {
            calls.learn(opened.calls);
        }
        seat.counted = Some(day.date);
        self.standing(seat, window).await
    }

    /// `counted`: where this process has counted the call, which counts for nothing if no window opens.
    async fn ask(
        &self,
        seat: &Seat,
        opening: Opening,
        now: Time,
        counted: Option<Arc<Calls>>,
    ) -> Result<(Arc<Window>, Opened), Refusal> {
        let before = self.clock.monotonic();
        let window = Window::opening(opening.window, seat, opening.day, &opening.from);
        self.windows.add(&window);
        let (committer, windows, grant) = (self.committer.clone(), self.windows.clone(), opening.grant);
        let never_opened = Box::new(move || windows.turns.closed(grant));
        let asking = tokio::spawn(async move { committer.open(opening, never_opened).await });
        let asking = Asking { windows: &self.windows, window: &window, counted, answer: Some(asking) };
        let opened = match asking.answer().await {
            // The store does not say why.
            Err(refusal) if refusal.code == Code::Unauthenticated => {
                return Err(self.let_in(&seat.caller).await.err().unwrap_or(refusal));
            }
            opened => opened?,
        };
        fault::point(fault::OPENED);
        let granted = (opened.until - now).to_std().unwrap_or(Duration::ZERO);
        let lasts = granted.min(self.settings.window);
        let stands = window.opened(&opened, before + lasts);
        self.windows.opened(&window, lasts);
        if !stands {
            // Ended between its commit and now: nothing has left, and nothing will.
            self.windows.close(&window, CloseReason::Ended);
        }
        Ok((window, opened))
    }

    /// A window that opened and counts, unless something ended it meanwhile.
    async fn standing(&self, seat: &Seat, window: Arc<Window>) -> Result<Arc<Window>, Refusal> {
        if window.is_ended() {
            return Err(self.why_ended(&seat.caller, &seat.standing).await);
        }
        Ok(window)
    }

    fn opening(&self, seat: &Seat, now: Time, day: &Day, from: &[i64]) -> Result<Opening, Refusal> {
        let (standing, grant) = (&seat.standing, &seat.standing.grant);
        let lasts = chrono::Duration::from_std(self.settings.window).unwrap_or_default();
        let key = self.keys.cursor.get(self.keys.cursor.current())?;
        Ok(Opening {
            window: window::seal(self.ids.uuid(now), standing.subscription.id, key),
            caller: seat.caller.clone(),
            subscription: standing.subscription.id,
            grant: grant.id,
            grant_version: grant.version,
            resource: grant.resource,
            provider: standing.resource.resource.provider,
            generation: seat.generation,
            purpose: seat.purpose.as_str().to_owned(),
            from: from.to_vec(),
            until: grant.valid_until.map_or(now + lasts, |end| end.min(now + lasts)),
            most: i64::try_from(self.settings.window_records).unwrap_or(i64::MAX),
            calls_per_day: grant.limits.calls_per_day,
            records_per_day: grant.limits.records_per_day,
            counts: true,
            readers: 1,
            day: day.date,
            resets_at: day.resets_at,
        })
    }

    fn no_calls(&self, value: i64, used: i64) -> Refusal {
        let now = self.clock.now();
        let resets_at = quota::day(now, self.settings.zone).resets_at;
        let used_up = Quota::Calls.take(1, &DayUse { value, used, reserved: 0 }, resets_at);
        let refusal = used_up.err().unwrap_or_else(refusals::fault);
        refusal.retry_after((resets_at - now).to_std().unwrap_or_default())
    }

    /// Why a delivery was ended, as the next call would be told.
    pub(super) async fn why_ended(&self, caller: &Caller, standing: &SubscriptionStanding) -> Refusal {
        if let Err(refusal) = self.let_in(caller).await {
            return refusal;
        }
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
    counted: Option<Arc<Calls>>,
    answer: Option<JoinHandle<Result<Opened, Refusal>>>,
}

impl Asking<'_> {
    async fn answer(mut self) -> Result<Opened, Refusal> {
        let Some(answer) = &mut self.answer else { return Err(refusals::fault()) };
        let opened = answer.await.unwrap_or_else(|_| Err(refusals::fault()));
        self.answer = None;
        opened.inspect_err(|refusal| {
            give_back(self.counted.take(), refusal);
            self.windows.forget(self.window);
        })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        let (windows, window) = (self.windows.clone(), self.window.clone());
        let counted = self.counted.take();
        tokio::spawn(async move {
            match answer.await.unwrap_or_else(|_| Err(refusals::fault())) {
                Ok(opened) => {
                    window.opened(&opened, Duration::ZERO);
                    windows.opened(&window, Duration::ZERO);
                    windows.close(&window, CloseReason::Reader);
                }
                Err(refusal) => {
                    give_back(counted, &refusal);
                    windows.forget(&window);
                }
            }
        });
    }
}

/// Of an opening that nobody heard of nobody knows whether it counts.
fn give_back(counted: Option<Arc<Calls>>, refusal: &Refusal) {
    if let Some(calls) = counted.filter(|_| refusal.code != Code::OutcomeUnknown) {
        calls.give_back();
    }
}
