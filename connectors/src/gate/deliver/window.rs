//! One window: what has been let out through it, under its lock (protocol.md 6 and 7).

use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::cursor::farther;
use changtong_catalog::ids::{
    AccountId, AgencyId, Generation, GrantId, KeyId, PurposeCode, ResourceNumber, SubscriptionId, WindowId,
};
use changtong_catalog::mac::hex;
use changtong_catalog::ports::{CloseReason, Closing, Ended, Opened};
use chrono::NaiveDate;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::fetch::Piece;
use super::seat::Seat;

/// To whom a window belongs: a later poll of the same may go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    pub subscription: SubscriptionId,
    pub key: KeyId,
    pub purpose: PurposeCode,
    /// Of the topic that is read: the same offsets are other records in the next.
    pub generation: Generation,
    /// Its event names the grant by it, and so the shape in which records leave.
    pub grant_version: i32,
}

/// What can end a window.
#[derive(Debug, Clone)]
pub(super) struct Stakes {
    pub grant: GrantId,
    pub resource: ResourceNumber,
    /// Whose account reads.
    pub agency: AgencyId,
    /// Whose resource is read.
    pub provider: AgencyId,
    pub account: AccountId,
    pub key: KeyId,
}

impl Stakes {
    pub fn concerned(&self, ended: &Ended) -> bool {
        match ended {
            Ended::Grant(grant) => *grant == self.grant,
            Ended::Resource(resource) => *resource == self.resource,
            Ended::Agency(agency) => *agency == self.agency || *agency == self.provider,
            Ended::Account(account) => *account == self.account,
            Ended::Key(key) => *key == self.key,
        }
    }
}

pub(super) struct Window {
    pub id: WindowId,
    pub reader: Reader,
    /// The day on whose quota it counts.
    pub day: NaiveDate,
    stakes: Stakes,
    state: Mutex<State>,
    /// Whether its closing is committed, or it never opened.
    over: watch::Sender<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Asked for; `ended` if something ended it meanwhile.
    Opening {
        ended: bool,
    },
    Open,
    Closed(CloseReason),
}

struct State {
    phase: Phase,
    /// End of its time, by the monotonic clock from before its commit.
    until: Duration,
    most: u64,
    further_calls: i64,
    /// A poll is using it.
    busy: bool,
    /// Where the last answer ended, as its cursor says.
    at: Vec<i64>,
    through: Vec<i64>,
    let_out: Vec<i64>,
    sent: u64,
    passed_over: u64,
    bytes: u64,
    digest: Sha256,
}

/// Why nothing more leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Its time or its number ran out, or the server drains: the answer ends in order.
    Finished,
    /// What it rests on was ended: the connection is reset.
    Ended,
}

impl Window {
    /// A window that is asked for; the poll that asks is using it.
    pub fn opening(id: WindowId, seat: &Seat, day: NaiveDate, from: &[i64]) -> Arc<Self> {
        let state = State {
            phase: Phase::Opening { ended: false },
            until: Duration::ZERO,
            most: 0,
            further_calls: 0,
            busy: true,
            at: from.to_vec(),
            through: from.to_vec(),
            let_out: from.to_vec(),
            sent: 0,
            passed_over: 0,
            bytes: 0,
            digest: Sha256::new(),
        };
        let (reader, stakes) = (seat.reader(), seat.stakes());
        Arc::new(Self { id, reader, day, stakes, state: Mutex::new(state), over: watch::Sender::new(false) })
    }

    /// Its opening is committed. `false`: it was ended meanwhile, and must be closed as such.
    pub fn opened(&self, opened: &Opened, until: Duration) -> bool {
        let mut state = self.state.lock();
        let ended = state.phase == Phase::Opening { ended: true };
        state.phase = Phase::Open;
        state.until = until;
        state.most = u64::try_from(opened.most).unwrap_or(0);
        !ended
    }

    /// It never opened, or its closing is committed.
    pub fn set_over(&self) {
        self.over.send_replace(true);
    }

    pub fn watch_over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    pub fn is_concerned(&self, ended: &Ended) -> bool {
        self.stakes.concerned(ended)
    }

    pub fn grant(&self) -> GrantId {
        self.stakes.grant
    }

    /// Takes it for a further call that starts where the last ended.
    pub fn resume(&self, reader: &Reader, at: &[i64], now: Duration) -> bool {
        let mut state = self.state.lock();
        let usable =
            state.phase == Phase::Open && !state.busy && now < state.until && state.sent < state.most;
        if !usable || self.reader != *reader || state.at != at {
            return false;
        }
        state.busy = true;
        true
    }

    /// The call that took it counts.
    pub fn count_call(&self) {
        self.state.lock().further_calls += 1;
    }

    /// The call that took it may not use it.
    pub fn let_go(&self) {
        self.state.lock().busy = false;
    }

    /// Records that it may still let out.
    pub fn left(&self) -> u64 {
        let state = self.state.lock();
        state.most.saturating_sub(state.sent)
    }

    /// Lets a piece out: from here on it counts as delivered, whatever becomes of the connection.
    pub fn let_out(&self, piece: &Piece, now: Duration) -> Result<(), Over> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Open if now < state.until && state.sent + piece.sent <= state.most => {}
            Phase::Open | Phase::Closed(CloseReason::Time | CloseReason::Count | CloseReason::Shutdown) => {
                return Err(Over::Finished);
            }
            Phase::Opening { .. } | Phase::Closed(_) => return Err(Over::Ended),
        }
        state.sent += piece.sent;
        state.passed_over += piece.passed_over;
        state.bytes += piece.bytes.len() as u64;
        state.digest.update(&piece.lines);
        state.through = farther(&state.through, &piece.through);
        if let Some(let_out) = &piece.let_out {
            state.let_out = farther(&state.let_out, let_out);
        }
        Ok(())
    }

    /// The poll has its answer, which ended at `at`. Answers the digest so far.
    pub fn release(&self, at: &[i64]) -> String {
        let mut state = self.state.lock();
        state.busy = false;
        state.at = at.to_vec();
        hex(&state.digest.clone().finalize())
    }

    /// The digest of what has left.
    pub fn digest(&self) -> String {
        self.digest_behind(std::iter::empty())
    }

    /// What the digest will be behind these.
    pub fn digest_behind<'p>(&self, lines: impl Iterator<Item = &'p [u8]>) -> String {
        let mut digest = self.state.lock().digest.clone();
        lines.for_each(|line| digest.update(line));
        hex(&digest.finalize())
    }

    /// Whether less than this is left of its time.
    pub fn ends_within(&self, time: Duration, now: Duration) -> bool {
        now.saturating_add(time) >= self.state.lock().until
    }

    /// Whether its time has run out, so that nothing more leaves.
    pub fn is_late(&self, now: Duration) -> bool {
        let state = self.state.lock();
        now >= state.until || state.phase == Phase::Closed(CloseReason::Time)
    }

    /// Whether its N-th record has left.
    pub fn is_used_up(&self) -> bool {
        let state = self.state.lock();
        state.phase == Phase::Open && state.sent >= state.most
    }

    /// Whether what it rests on was ended.
    pub fn is_ended(&self) -> bool {
        self.state.lock().phase == Phase::Closed(CloseReason::Ended)
    }

    pub fn is_busy(&self) -> bool {
        self.state.lock().busy
    }

    /// Flips it; the closing to commit, if it was open. An opening one is flipped once its commit has answered.
    pub fn close(&self, reason: CloseReason) -> Option<Closing> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Opening { .. } => {
                state.phase = Phase::Opening { ended: true };
                return None;
            }
            Phase::Closed(_) => return None,
            Phase::Open => state.phase = Phase::Closed(reason),
        }
        Some(Closing {
            window: self.id,
            reason,
            through: state.through.clone(),
            let_out: state.let_out.clone(),
            sent: count(state.sent),
            passed_over: count(state.passed_over),
            bytes: count(state.bytes),
            digest: hex(&state.digest.clone().finalize()),
            further_calls: state.further_calls,
        })
    }
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
