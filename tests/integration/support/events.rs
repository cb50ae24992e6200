//! A client of event streams that reads what comes, byte by byte as it came.

use std::collections::VecDeque;

use changtong_catalog::mac::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Client, Reply};

/// An event stream that is open.
pub struct Events {
    response: reqwest::Response,
    /// Came, and was not asked for yet.
    events: VecDeque<String>,
    /// The beginning of an event.
    rest: String,
    /// Of the records' events since the last mark.
    digest: Sha256,
}

/// One event, or a comment.
#[derive(Debug, Clone)]
pub struct Event {
    /// `record`, `mark`, `end` or `comment`.
    pub kind: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Events {
    /// Follows a subscription; the problem if it is refused.
    pub async fn open(client: &Client, path: &str, last_event_id: Option<&str>) -> Result<Self, Box<Reply>> {
        let mut request = client.request("get", path).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        if response.status() != 200 {
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            return Err(Box::new(Reply { status, headers, text: response.text().await.expect("a problem") }));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, events: VecDeque::new(), rest: String::new(), digest: Sha256::new() })
    }

    /// The next event; `None` where the stream ended in order, an error where the connection was reset.
    pub async fn next(&mut self) -> Result<Option<Event>, reqwest::Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(self.read(&event)));
            }
            let Some(bytes) = self.response.chunk().await? else { return Ok(None) };
            self.rest.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
            let whole = self.rest.rfind("\n\n").map_or(0, |at| at + 2);
            let begun = self.rest.split_off(whole);
            self.events.extend(self.rest.split_inclusive("\n\n").map(str::to_owned));
            self.rest = begun;
        }
    }

    fn read(&mut self, event: &str) -> Event {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let kind = match (field("event: "), field("data: ")) {
            (Some(kind), _) => kind,
            (None, Some(_)) => "record".to_owned(),
            (None, None) => "comment".to_owned(),
        };
        let data = field("data: ").map_or(Value::Null, |data| serde_json::from_str(&data).expect("JSON"));
        if kind == "record" {
            self.digest.update(event);
        }
        if kind == "mark" {
            let digest = hex(&std::mem::take(&mut self.digest).finalize());
            assert_eq!(data["digest"], digest.as_str(), "the digest is that of what came");
        }
        Event { kind, id: field("id: "), data }
    }

    /// The next event that is none of a heartbeat.
    pub async fn said(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("no reset").expect("it goes on");
            if event.kind != "comment" {
                return event;
            }
        }
    }

    /// So many records, with the ids of their events.
    pub async fn records(&mut self, count: usize) -> Vec<Event> {
        let mut records = Vec::new();
        while records.len() < count {
            let event = self.said().await;
            assert_ne!(event.kind, "end", "{}", event.data);
            if event.kind == "record" {
                records.push(event);
            }
        }
        records
    }
}
