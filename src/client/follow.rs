//! Following a subscription as an event stream: what the server says, event by event.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::Value;

use super::call::Client;
use super::deliver::{Answered, Reading};
use super::problem::{CallError, Problem};

/// A stream that is open.
pub struct Following {
    body: Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>,
    /// What came and is no whole event yet.
    rest: Vec<u8>,
    /// Of `rest`, what was given out.
    taken: usize,
}

/// One thing said.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A record's line with its line end, and the cursor behind it.
    Record { line: Vec<u8>, id: String },
    /// A window's end: what may be acknowledged.
    Mark { next: String, window: Option<String>, digest: Option<String> },
    /// Why the stream ends; its `next` says from where to go on.
    End(Box<Problem>),
    /// A heartbeat, with the cursor if records were passed over.
    Beat(Option<String>),
}

impl Client {
    /// Follows from the cursor on, or from the position.
    pub async fn follow(&self, reading: &Reading) -> Result<Following, CallError> {
        let path = format!("/subscriptions/{}/records", reading.subscription);
        let mut call = self.request(Method::GET, &path).header("Accept", "text/event-stream");
        if let Some(purpose) = &reading.purpose {
            call = call.header("Changtong-Purpose", purpose);
        }
        if let Some(cursor) = &reading.cursor {
            call = call.header("Last-Event-ID", cursor);
        }
        let answer = call.send().await.map_err(|error| self.unreachable(&error))?;
        let answer = self.refused(answer).await?;
        let client = self.clone();
        let body = answer.bytes_stream().map_err(move |error| client.unreachable(&error)).boxed();
        Ok(Following { body, rest: Vec::new(), taken: 0 })
    }
}

impl Following {
    /// `None` where the stream ended in order.
    pub async fn next(&mut self) -> Result<Option<Said>, CallError> {
        loop {
            let begun = &self.rest[self.taken..];
            if let Some(length) = begun.windows(2).position(|pair| pair == b"\n\n") {
                let said = read(&begun[..length]);
                self.taken += length + 2;
                return said
                    .map(Some)
                    .ok_or_else(|| CallError::Broken("an event of the stream is not readable".to_owned()));
            }
            self.rest.drain(..self.taken);
            self.taken = 0;
            match self.body.next().await {
                Some(bytes) => self.rest.extend_from_slice(&bytes?),
                None => return Ok(None),
            }
        }
    }
}

fn read(event: &[u8]) -> Option<Said> {
    let event = std::str::from_utf8(event).ok()?;
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let id = field("id: ").map(str::to_owned);
    let Some(data) = field("data: ") else { return Some(Said::Beat(id)) };
    match field("event: ") {
        None => Some(Said::Record { line: format!("{data}\n").into_bytes(), id: id? }),
        Some("mark") => {
            let mark: Value = serde_json::from_str(data).ok()?;
            let member = |name: &str| mark.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Said::Mark { next: member("next")?, window: member("window"), digest: member("digest") })
        }
        Some(_) => {
            let end: Value = serde_json::from_str(data).ok()?;
            let status = u16::try_from(end.get("status")?.as_u64()?).ok()?;
            let retry_after = end.get("retry_after").and_then(Value::as_u64).map(Duration::from_secs);
            Some(Said::End(Box::new(Problem::of(status, retry_after, data))))
        }
    }
}

impl Said {
    /// What a mark lets one acknowledge.
    #[must_use]
    pub fn acknowledgeable(self) -> Option<Answered> {
        let Self::Mark { next, window, digest } = self else { return None };
        Some(Answered { lines: Bytes::new(), next, window, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_are_whole_wherever_the_bytes_are_cut() {
        let text = ":\n\nid: c1\ndata: {\"id\":\"1.0.0\"}\n\n:\nid: c2\n\nevent: mark\nid: c2\ndata: \
                    {\"next\":\"c2\",\"window\":\"w\",\"digest\":\"d\"}\n\nevent: end\ndata: \
                    {\"status\":403,\"code\":\"grant_revoked\",\"detail\":\"x\",\"next\":\"c2\"}\n\n";
        for size in [1, 7, 1000] {
            let pieces: Vec<_> =
                text.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let body = futures::stream::iter(pieces).boxed();
            let mut following = Following { body, rest: Vec::new(), taken: 0 };
            let mut said = Vec::new();
            while let Some(next) = following.next().await.unwrap() {
                said.push(next);
            }
            assert_eq!(said.len(), 5);
            assert_eq!((&said[0], &said[2]), (&Said::Beat(None), &Said::Beat(Some("c2".into()))));
            let line = b"{\"id\":\"1.0.0\"}\n".to_vec();
            assert_eq!(said[1], Said::Record { line, id: "c1".into() });
            assert_eq!(said[3].clone().acknowledgeable().unwrap().digest.as_deref(), Some("d"));
            let Said::End(problem) = &said[4] else { panic!("{:?}", said[4]) };
            assert_eq!((problem.status, problem.code.as_str()), (403, "grant_revoked"));
        }
    }
}
