//! HTTP written and read byte by byte: a whole client would take more of the machine than the server that is measured.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::failure::{Done, Failure};
use super::setup::Agency;
use crate::client::Client;

/// Where the server answers.
pub fn host(server: &Client) -> Done<&str> {
    server.url().strip_prefix("http://").ok_or_else(|| {
        Failure::Usage(format!("{}: the bench speaks plain HTTP to a server on this machine", server.url()))
    })
}

pub fn head(method: &str, path: &str, host: &str, key: &str, length: usize) -> Vec<u8> {
    format!(
        "{method} /registry{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
         Accept: application/vnd.schemaregistry.v1+json\r\nAccept-Language: en\r\n\
         Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// The head of a publish up to its last header, of which the value is the publish's own: the key under which it counts
/// once.
pub fn publish_head(path: &str, host: &str, key: &str, media_type: &str, length: usize) -> Vec<u8> {
    format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nAccept-Language: en\r\n\
         Content-Type: {media_type}\r\nContent-Length: {length}\r\nIdempotency-Key: "
    )
    .into_bytes()
}

/// Before a call is sent again that was refused for the moment.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it is.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn open(host: &str) -> Done<Self> {
        let stream = TcpStream::connect(host).await;
        let stream = stream.map_err(|error| Failure::Failed(format!("{host}: {error}")))?;
        stream.set_nodelay(true).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self { stream, answer: Vec::with_capacity(4096) })
    }

    /// Registers a schema under a subject of the agency's own; its id.
    pub async fn register(&mut self, host: &str, agency: &Agency, subject: &str, schema: &str) -> Done<u64> {
        let body = serde_json::json!({ "schema": schema }).to_string();
        let path = format!("/subjects/{subject}/versions");
        let mut request = head("POST", &path, host, agency.first.key(), body.len());
        request.extend_from_slice(body.as_bytes());
        let answer: Value = serde_json::from_slice(self.ask(&request).await?)
            .map_err(|error| Failure::Failed(format!("{path}: {error}")))?;
        let id = answer.get("id").and_then(Value::as_u64);
        id.ok_or_else(|| Failure::Failed(format!("{path}: {answer}")))
    }

    /// The body of the answer, which must be a good one.
    pub async fn ask(&mut self, request: &[u8]) -> Done<&[u8]> {
        let (status, body) = self.answer(request).await?;
        self.good(status, body)
    }

    /// The same, of a call that is sent again while the server is too busy; how often it was.
    pub async fn ask_again(&mut self, request: &[u8]) -> Done<(&[u8], u64)> {
        let end = Instant::now() + PATIENCE;
        let mut again = 0;
        loop {
            let (status, body) = self.answer(request).await?;
            if !matches!(status, 429 | 503) || Instant::now() > end {
                return Ok((self.good(status, body)?, again));
            }
            tokio::time::sleep(PAUSE).await;
            again += 1;
        }
    }

    fn good(&self, status: u16, body: Range<usize>) -> Done<&[u8]> {
        if status == 200 {
            return Ok(&self.answer[body]);
        }
        Err(Failure::Failed(String::from_utf8_lossy(&self.answer).into_owned()))
    }

    /// The status of the answer and where its body stands.
    async fn answer(&mut self, request: &[u8]) -> Done<(u16, Range<usize>)> {
        let broken = |error: std::io::Error| Failure::Failed(format!("the connection broke: {error}"));
        self.stream.write_all(request).await.map_err(broken)?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await.map_err(broken)? == 0 {
                return Err(Failure::Failed("the connection ended before its answer".to_owned()));
            }
            if let Some((begin, end)) = extent(&self.answer)
                && self.answer.len() >= end
            {
                return Ok((status(&self.answer), begin..end));
            }
        }
    }
}

/// 0 where it says none.
fn status(answer: &[u8]) -> u16 {
    let digits = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// Where the body begins and ends, once the head is there.
fn extent(answer: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &str = "content-length:";
    let begin = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..begin]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        if name.eq_ignore_ascii_case(LENGTH) { value.trim().parse::<usize>().ok() } else { None }
    });
    Some((begin, begin + length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_head_says() {
        assert_eq!(extent(b"HTTP/1.1 200 OK\r\ncontent-le"), None);
        let answer = b"HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(extent(answer), Some((answer.len() - 2, answer.len())));
        assert_eq!((status(answer), status(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")), (200, 503));
    }
}
