//! The end of a delivery (protocol.md 7): after the change has committed no window opens; the open ones are ended
//! here, and what they let out is told.

use std::collections::BTreeMap;
use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::ports::{CloseReason, Closing, Ended, LeftOpen};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::Gate;
use crate::events::WindowClosed;

/// How long the store may take for the closings before the caller is told to ask again.
const CLOSINGS: Duration = Duration::from_secs(10);

impl Gate {
    /// After a change has committed: ends the windows it concerns, waits for their closings, and answers `last_left`
    /// per subscription.
    pub async fn end(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, String>, Refusal> {
        let waits = self.windows.end(ended);
        self.after(waits, ended).await
    }

    /// The same of what another call ends or has ended: it waits for the closings, and ends nothing that stands again.
    pub async fn ended(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, String>, Refusal> {
        let waits = self.windows.ending(ended);
        self.after(waits, ended).await
    }

    async fn after(
        &self,
        waits: Vec<watch::Receiver<bool>>,
        ended: &Ended,
    ) -> Result<BTreeMap<SubscriptionId, String>, Refusal> {
        let all = async {
            for mut over in waits {
                // A window that is dropped is over too.
                let _ = over.wait_for(|over| *over).await;
            }
        };
        timeout(CLOSINGS, all).await.map_err(|_| closings_missing())?;
        self.last_left(ended).await
    }

    /// What was let out of something that has ended, per subscription, as its windows' closings say.
    async fn last_left(&self, ended: &Ended) -> Result<BTreeMap<SubscriptionId, String>, Refusal> {
        let last_left = self.ledger.last_left(ended).await?;
        let key = self.keys.cursor.get(self.keys.cursor.current())?;
        Ok(last_left.into_iter().map(|(id, cursor)| (id, cursor.encode(key))).collect())
    }

    /// Ends what waits on something that lets nobody read any more: what ends by its time, or by a command beside this
    /// server, tells nobody.
    pub(in crate::gate) async fn end_fallen(&self) -> Result<(), Refusal> {
        let (keys, grants) = self.windows.waits.rest_on();
        if keys.is_empty() {
            return Ok(());
        }
        let fallen = self.directory.fallen(&keys, &grants, self.clock.now()).await?;
        fallen.iter().for_each(|ended| drop(self.windows.end(ended)));
        Ok(())
    }

    /// Closes the windows that an earlier server left open: each may have let out up to the stable end.
    pub(in crate::gate) async fn close_left_open(&self) -> Result<(), Refusal> {
        let left = self.ledger.left_open().await?;
        for window in left.into_iter().filter(|left| !self.windows.knows(left.window)) {
            let let_out = self.stable_end_of(&window).await?;
            WindowClosed { window: window.window, reason: CloseReason::Unknown, lines: 0 }
                .emit(&self.metrics);
            let (done, closed) = tokio::sync::oneshot::channel();
            let closing = Closing {
                window: window.window,
                reason: CloseReason::Unknown,
                through: window.from.clone(),
                let_out,
                sent: window.most,
                passed_over: 0,
                bytes: 0,
                digest: String::new(),
                further_calls: 0,
            };
            let tell = move || {
                let _ = done.send(());
            };
            self.committer.close(closing, Box::new(tell));
            let _ = timeout(CLOSINGS, closed).await.map_err(|_| closings_missing())?;
            self.windows.turns.closed(window.grant);
        }
        Ok(())
    }

    async fn stable_end_of(&self, window: &LeftOpen) -> Result<Vec<i64>, Refusal> {
        let views = self.ledger.views(window.resource, window.generation).await?;
        let ends: Vec<i64> = views.iter().map(|view| view.stable_end()).collect();
        Ok(changtong_catalog::cursor::farther(&ends, &window.from))
    }

    /// Tells whether the store was found older; for readiness.
    #[must_use]
    pub fn is_store_older(&self) -> bool {
        self.committer.views().is_store_older()
    }
}

fn closings_missing() -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "变更已生效,供数已停止,但数据库尚未记下各窗口的结束;请稍后查询 last_left",
        "the change stands and nothing more is delivered, but the store has not yet noted the end of all windows; ask \
         for last_left again later",
    )
    .retry_after(Duration::from_secs(2))
}
