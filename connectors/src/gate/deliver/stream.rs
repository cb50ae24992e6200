//! An event stream: a delivery that goes on, window after window, until something ends it. Each record is an event
//! whose id is the cursor behind it, each window ends with a mark (interface.md 6). A window opens only when there is
//! something to send, and rates make it wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::WindowId;
use changtong_catalog::ports::CloseReason;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::super::calls::Follow;
use super::super::{Gate, refusals};
use super::fetch::{Form, Piece};
use super::reading::{Look, Reading, Share};
use super::seat::Seat;
use super::stand::{Stand, skip_dead};
use super::waiting::{Waiting, Woken};
use super::window::{Over, Window};
use crate::commit::key_of;
use crate::events::{LetOut, PassedOver, PollRefused, StreamBegun, StreamEnded};
use crate::limit::Cost;

/// What a stream may read at once: its lines are counted by its windows.
const SHARE: Share = Share { lines: u64::MAX, bytes: u64::MAX };
/// Windows in a row that may be asked for in vain: they came too late, or for a grant that had changed.
const VAIN: u32 = 4;
/// The longest pause of a stream that a rate, or no room in memory, makes wait.
const LONGEST: Duration = Duration::from_secs(1);

/// What a stream says next.
pub enum Frame {
    /// Events and comments as they leave, at most 64 KiB.
    Bytes(Bytes),
    /// Why it ends, and from where another goes on.
    End { refusal: Refusal, next: String },
}

/// Why a stream goes no further.
enum Stop {
    /// It is told with a last event.
    End(Refusal),
    /// The connection is reset.
    Reset(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::End(refusal)
    }
}

pub struct EventStream {
    gate: Arc<Gate>,
    seat: Seat,
    waiting: Waiting,
    /// Behind what was let out or passed over.
    stand: Stand,
    /// `None` before the topic is made.
    reading: Option<Reading>,
    open: Option<Open>,
    /// Windows asked for in a row in which nothing left.
    vain: u32,
    /// When something was given last, and whether it was looked for more since: no comment follows another unlooked.
    given: Instant,
    looked: bool,
    /// The position that the last id told.
    told: Vec<i64>,
    ending: Option<Refusal>,
    over: bool,
}

struct Open {
    window: Arc<Window>,
    /// When its time is over for sure.
    ends: Instant,
    lines: u64,
}

#[derive(Serialize)]
struct Mark {
    next: String,
    window: WindowId,
    digest: String,
}

impl Gate {
    /// Begins an event stream; what can be refused is refused here, before the first byte.
    pub async fn follow(self: &Arc<Self>, follow: Follow) -> Result<EventStream, Refusal> {
        let subscription = follow.subscription;
        self.begin_stream(follow).await.inspect_err(|refusal| {
            PollRefused { subscription, refusal }.emit(&self.metrics);
        })
    }

    async fn begin_stream(self: &Arc<Self>, follow: Follow) -> Result<EventStream, Refusal> {
        let ends = self.windows.waits.ends();
        let seat = self.seat(&follow.caller, follow.subscription, follow.purpose.as_deref()).await?;
        self.limiter.take(&self.levels(&seat), Cost { requests: 1, ..Cost::default() })?;
        let waiting = Waiting::new(self, &seat, ends);
        let topic = self.topics.known(&seat.standing.resource);
        let stand = self.stand(&seat.standing, topic.as_ref(), follow.cursor.as_deref()).await?;
        let mut stream = EventStream {
            gate: self.clone(),
            seat,
            waiting,
            told: stand.next.clone(),
            stand,
            reading: None,
            open: None,
            vain: 0,
            given: Instant::now(),
            looked: false,
            ending: None,
            over: false,
        };
        stream.begin_reading().await?;
        StreamBegun.emit(&self.metrics);
        Ok(stream)
    }
}

impl EventStream {
    /// What is said next; `None` at the end. An error means that the connection is to be reset.
    pub async fn next(&mut self) -> Option<Result<Frame, Refusal>> {
        while !self.over {
            let said = match self.gate.alive.check() {
                Err(refusal) => Err(Stop::Reset(refusal)),
                Ok(()) if self.is_ended() => Err(Stop::Reset(refusals::ended())),
                Ok(()) if self.ending.is_some() => self.end(),
                Ok(()) => self.step().await,
            };
            match said {
                Ok(None) => {}
                Ok(Some(frame)) => {
                    self.given = Instant::now();
                    return Some(Ok(frame));
                }
                Err(Stop::End(refusal)) => self.ending = Some(refusal),
                Err(Stop::Reset(refusal)) => {
                    self.over = true;
                    self.told_why(&refusal);
                    return Some(Err(refusal));
                }
            }
        }
        None
    }

    fn is_ended(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.window.is_ended())
    }

    /// One step: something to say, or nothing yet.
    async fn step(&mut self) -> Result<Option<Frame>, Stop> {
        // Nothing may stand inside an event: what has begun leaves whole, or the connection is reset.
        if let Some(piece) = self.reading.as_mut().and_then(Reading::rest_of_line) {
            return self.give(piece).await;
        }
        if self.waiting.take_told() {
            self.renew().await?;
        }
        if let Some(piece) = self.reading.as_mut().and_then(Reading::next_piece) {
            return self.give(piece).await;
        }
        if self.looked && self.given.elapsed() >= self.gate.settings.heartbeat {
            return self.beat().map(Some);
        }
        if self.open.as_ref().is_some_and(|open| open.window.is_late(self.gate.clock.monotonic())) {
            return self.mark().map(Some);
        }
        self.looked = true;
        self.waiting.look();
        let Some(reading) = &mut self.reading else { return self.wait().await };
        match reading.look(&self.gate, self.open.as_ref().map(|open| &*open.window)).await {
            Ok(Look::Found) if self.open.is_none() => self.stand.next = reading.from().to_vec(),
            Ok(Look::PassedOver) if self.open.is_none() => self.stand.next = reading.behind().next,
            Ok(Look::Found | Look::PassedOver) => {}
            Ok(Look::Nothing) if self.stand.past.is_some() => return self.go_on().await,
            Ok(Look::Nothing) => return self.wait().await,
            Ok(Look::Full) => return self.mark().map(Some),
            Err(refusal) if matches!(refusal.code, Code::RateLimited | Code::Overloaded) => {
                self.pause(refusal.retry_after.unwrap_or(LONGEST)).await;
            }
            Err(refusal) => self.differently(refusal).await?,
        }
        Ok(None)
    }

    /// An earlier generation is read to its end: on in the next.
    async fn go_on(&mut self) -> Result<Option<Frame>, Stop> {
        if self.open.as_ref().is_some_and(|open| open.lines > 0) {
            return self.mark().map(Some);
        }
        self.close(CloseReason::Reader);
        if let Some(reading) = &self.reading {
            self.stand.next = reading.behind().next;
        }
        self.gate.renew(&mut self.seat).await?;
        Ok(self.begin_reading().await.map(|()| None)?)
    }

    /// Lets a piece out, in a window that is opened if none stands.
    async fn give(&mut self, piece: Piece) -> Result<Option<Frame>, Stop> {
        let Some(open) = &mut self.open else {
            if piece.sent == 0 && !piece.within_line {
                self.stand.next = piece.through;
                PassedOver { records: piece.passed_over }.emit(&self.gate.metrics);
                return Ok(None);
            }
            self.put_back(piece);
            self.open().await?;
            return Ok(None);
        };
        match open.window.let_out(&piece, self.gate.clock.monotonic()) {
            Ok(()) => {
                self.stand.next.clone_from(&piece.through);
                open.lines += piece.sent;
                self.vain = 0;
                let bytes = piece.lines.len() as u64;
                LetOut { lines: piece.sent, bytes, passed_over: piece.passed_over }.emit(&self.gate.metrics);
                if piece.sent > 0 {
                    self.told.clone_from(&piece.through);
                }
                Ok((!piece.bytes.is_empty()).then_some(Frame::Bytes(piece.bytes)))
            }
            Err(Over::Ended) => Err(Stop::Reset(refusals::ended())),
            Err(Over::Finished) if piece.within_line => Err(Stop::Reset(refusals::slow_reader())),
            Err(Over::Finished) => {
                let used = open.lines > 0;
                self.put_back(piece);
                if used { self.mark().map(Some) } else { self.give_up_window() }
            }
        }
    }

    fn put_back(&mut self, piece: Piece) {
        if let Some(reading) = &mut self.reading {
            reading.put_back(piece, &self.stand.next);
        }
    }

    async fn open(&mut self) -> Result<(), Stop> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        match self.gate.open_in_turn(&mut self.seat, &self.waiting, reading.from()).await {
            Ok(window) => {
                let (ends, left) = (Instant::now() + self.gate.settings.window, window.left());
                self.open = Some(Open { window, ends, lines: 0 });
                Ok(reading.fit(&self.gate, left).await?)
            }
            Err(refusal) => self.differently(refusal).await,
        }
    }

    /// Grant or resource has another version, or a record is of a schema that came since: by what stands now, the same
    /// may be read, or something else.
    async fn differently(&mut self, refusal: Refusal) -> Result<(), Stop> {
        let may = matches!(refusal.code, Code::PreconditionFailed | Code::ViewChanged | Code::Internal);
        if self.vain >= VAIN || !may {
            return Err(refusal.into());
        }
        self.vain += 1;
        self.renew().await
    }

    /// A window in which nothing left ends without a mark.
    fn give_up_window(&mut self) -> Result<Option<Frame>, Stop> {
        self.vain += 1;
        self.close(CloseReason::Reader);
        if self.vain >= VAIN { Err(refusals::windows_late().into()) } else { Ok(None) }
    }

    fn mark(&mut self) -> Result<Frame, Stop> {
        let Some(open) = self.open.take() else { return Err(refusals::fault().into()) };
        let untouched = self.reading.as_ref().filter(|reading| reading.is_empty());
        let views = untouched.and_then(|reading| self.gate.committer.views().get(key_of(reading.topic())));
        if let Some(views) = views {
            self.stand.next = skip_dead(&views, &self.stand.next);
        }
        let reason = match &self.ending {
            Some(refusal) if refusal.code == Code::ShuttingDown => CloseReason::Shutdown,
            _ if open.window.is_used_up() => CloseReason::Count,
            _ if open.window.is_late(self.gate.clock.monotonic()) => CloseReason::Time,
            _ => CloseReason::Reader,
        };
        // Closed while it is in use, so that no other takes it.
        self.gate.windows.close(&open.window, reason);
        self.told.clone_from(&self.stand.next);
        let next = self.cursor()?;
        let mark = Mark { next: next.clone(), window: open.window.id, digest: open.window.digest() };
        let mark = serde_json::to_string(&mark).map_err(|_| refusals::fault())?;
        Ok(Frame::Bytes(format!("event: mark\nid: {next}\ndata: {mark}\n\n").into()))
    }

    /// A comment; with an id where something was passed over since the last one, so that it is not read again.
    fn beat(&mut self) -> Result<Frame, Stop> {
        self.looked = false;
        if self.told == self.stand.next {
            return Ok(Frame::Bytes(Bytes::from_static(b":\n\n")));
        }
        self.told.clone_from(&self.stand.next);
        Ok(Frame::Bytes(format!(":\nid: {}\n\n", self.cursor()?).into()))
    }

    /// The last things said: the mark of a window that stands, then why.
    fn end(&mut self) -> Result<Option<Frame>, Stop> {
        if self.open.as_ref().is_some_and(|open| open.lines > 0) {
            return self.mark().map(Some);
        }
        self.close(CloseReason::Reader);
        self.over = true;
        let Some(mut refusal) = self.ending.take() else { return Ok(None) };
        self.told_why(&refusal);
        let next = self.gate.goes_on(&mut refusal, &self.stand, &self.seat.standing.subscription)?;
        Ok(Some(Frame::End { refusal, next }))
    }

    fn cursor(&self) -> Result<String, Refusal> {
        self.gate.encode(&self.stand.cursor(&self.stand.next))
    }

    fn close(&mut self, reason: CloseReason) {
        if let Some(open) = self.open.take() {
            self.gate.windows.close(&open.window, reason);
        }
    }

    fn told_why(&self, refusal: &Refusal) {
        let subscription = self.stand.subscription;
        StreamEnded { subscription, code: refusal.code.as_str() }.emit(&self.gate.metrics);
    }

    /// Waits for records, for the end of the window, for the next heartbeat.
    async fn wait(&mut self) -> Result<Option<Frame>, Stop> {
        let Some(lasts) = self.gate.lasts(&self.seat) else {
            self.renew().await?;
            return Ok(None);
        };
        let mut until = (self.given + self.gate.settings.heartbeat).min(Instant::now() + lasts);
        if let Some(open) = &self.open {
            until = until.min(open.ends);
        }
        match self.waiting.until(until).await {
            Woken::Ended => self.renew().await?,
            Woken::Records if self.reading.is_none() => self.begin_reading().await?,
            Woken::Records | Woken::Time => {}
        }
        if let Some(open) = self.open.as_ref().filter(|open| open.ends <= Instant::now()) {
            self.gate.windows.close(&open.window, CloseReason::Time);
        }
        Ok(None)
    }

    async fn pause(&self, wanted: Duration) {
        sleep(wanted.clamp(Duration::from_millis(1), LONGEST.min(self.gate.settings.heartbeat))).await;
    }

    /// Something was ended or changed: decides again and goes on where it stands, if it may.
    async fn renew(&mut self) -> Result<(), Stop> {
        if self.is_ended() {
            return Err(Stop::Reset(refusals::ended()));
        }
        self.gate.renew(&mut self.seat).await?;
        Ok(self.begin_reading().await?)
    }

    async fn begin_reading(&mut self) -> Result<(), Refusal> {
        self.reading = None;
        let topic = self.gate.topics.known(&self.seat.standing.resource);
        let cursor = self.cursor()?;
        self.stand = self.gate.stand(&self.seat.standing, topic.as_ref(), Some(&cursor)).await?;
        self.seat.generation = self.stand.generation;
        let Some(topic) = self.stand.topic(topic) else { return Ok(()) };
        self.gate.committer.load(&topic).await?;
        let views = self.gate.committer.views().watch(key_of(&topic)).ok_or_else(refusals::fault)?;
        self.waiting.watch(views);
        let form = Form::Event(Arc::new(self.gate.event_ids(&self.stand)?));
        let (gate, stand) = (&self.gate, self.stand.clone());
        self.reading = Some(gate.reading(&self.seat, stand, topic, form, SHARE)?);
        self.seat.slim();
        Ok(())
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if !self.over {
            let subscription = self.stand.subscription;
            StreamEnded { subscription, code: "reader" }.emit(&self.gate.metrics);
        }
        self.close(CloseReason::Reader);
    }
}
