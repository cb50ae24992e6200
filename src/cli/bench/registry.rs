//! `changtong bench registry`: how many times a second a schema is given by its id, as every consumer asks that meets an
//! id for the first time. Requests are written and answers read byte by byte: a whole HTTP client would take more of the
//! machine than the server that is measured.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::measure::{self, Times};
use super::report::Row;
use super::setup::Agency;
use super::{Asking, setup};
use crate::client::Client;

/// Like the schema of a small resource.
const SCHEMA: &str = r#"{"type":"record","name":"Bench","namespace":"cn.changtong.bench","fields":[
    {"name":"id","type":"long"},{"name":"carrier","type":"string"},{"name":"origin","type":"string"},
    {"name":"delay","type":["null","int"],"default":null},{"name":"note","type":"string","doc":"备注"}]}"#;

pub async fn run(authority: &Client, bench: &Asking) -> Done<Vec<Row>> {
    let host = authority.url().strip_prefix("http://").ok_or_else(|| {
        Failure::Usage(format!(
            "{}: the bench speaks plain HTTP to a server on this machine",
            authority.url()
        ))
    })?;
    let mut requests = Vec::new();
    for _ in 0..bench.agencies {
        let agency = setup::agency(authority).await?;
        let id = register(host, &agency).await?;
        requests.push(head("GET", &format!("/schemas/ids/{id}"), host, agency.first.key(), 0));
    }
    let began = Instant::now();
    let started = measure::start(bench.pid);
    let mut callers = JoinSet::new();
    for request in requests.iter().cycle().take(usize::from(bench.connections)) {
        callers.spawn(ask(host.to_owned(), request.clone(), began + Duration::from_secs(bench.seconds)));
    }
    let mut calls = Times::default();
    while let Some(ended) = callers.join_next().await {
        calls.extend(ended.map_err(|error| Failure::Failed(error.to_string()))??);
    }
    let (elapsed, used) = (began.elapsed(), measure::stop(started));
    let seconds = elapsed.as_secs_f64();
    let count = calls.len() as f64;
    let cpu = used.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
    let Asking { connections, agencies, .. } = bench;
    let row = Row::new(format!("GET /schemas/ids/{{id}}, {connections} connections, {agencies} agencies"))
        .with("requests", count)
        .with("seconds", seconds)
        .with("requests_per_second", (count / seconds).round())
        .with_some("p50_ms", calls.part(50))
        .with_some("p99_ms", calls.part(99))
        .with_some("slowest_ms", calls.part(100))
        .with_some("cpu_seconds_per_million_requests", cpu.map(|cpu| cpu * 1e6 / count))
        .with_some("resident_mib", used.map(|(_, after)| after.resident_mib()));
    Ok(vec![row])
}

/// The id of the schema, under a subject of the agency's own.
async fn register(host: &str, agency: &Agency) -> Done<u64> {
    let body = json!({ "schema": SCHEMA }).to_string();
    let path = format!("/subjects/{}-value/versions", agency.alias);
    let mut request = head("POST", &path, host, agency.first.key(), body.len());
    request.extend_from_slice(body.as_bytes());
    let mut connection = Connection::open(host).await?;
    let answer: Value = serde_json::from_slice(connection.ask(&request).await?)
        .map_err(|error| Failure::Failed(format!("{path}: {error}")))?;
    let id = answer.get("id").and_then(Value::as_u64);
    id.ok_or_else(|| Failure::Failed(format!("{path}: {answer}")))
}

/// One connection's calls until then, the first not counted.
async fn ask(host: String, request: Vec<u8>, until: Instant) -> Done<Times> {
    let mut connection = Connection::open(&host).await?;
    connection.ask(&request).await?;
    let mut calls = Times::default();
    while Instant::now() < until {
        let began = Instant::now();
        connection.ask(&request).await?;
        calls.push(began.elapsed());
    }
    Ok(calls)
}

fn head(method: &str, path: &str, host: &str, key: &str, length: usize) -> Vec<u8> {
    format!(
        "{method} /registry{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
         Accept: application/vnd.schemaregistry.v1+json\r\nAccept-Language: en\r\n\
         Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(host: &str) -> Done<Self> {
        let stream = TcpStream::connect(host).await;
        let stream = stream.map_err(|error| Failure::Failed(format!("{host}: {error}")))?;
        stream.set_nodelay(true).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self { stream, answer: Vec::with_capacity(4096) })
    }

    /// The body of the answer, which must be a good one.
    async fn ask(&mut self, request: &[u8]) -> Done<&[u8]> {
        let broken = |error: std::io::Error| Failure::Failed(format!("the connection broke: {error}"));
        self.stream.write_all(request).await.map_err(broken)?;
        self.answer.clear();
        let body = loop {
            if self.stream.read_buf(&mut self.answer).await.map_err(broken)? == 0 {
                return Err(Failure::Failed("the connection ended before its answer".to_owned()));
            }
            if let Some((begin, end)) = extent(&self.answer)
                && self.answer.len() >= end
            {
                break begin..end;
            }
        };
        if self.answer.starts_with(b"HTTP/1.1 200") {
            return Ok(&self.answer[body]);
        }
        Err(Failure::Failed(String::from_utf8_lossy(&self.answer).into_owned()))
    }
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
    }
}
