//! `changtong bench registry`: how many times a second a schema is given by its id, as every consumer asks that meets an
//! id for the first time.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::measure::{self, Times};
use super::raw::{self, Connection, head};
use super::report::Row;
use super::{Asking, setup};
use crate::client::Client;

/// Like the schema of a small resource.
const SCHEMA: &str = r#"{"type":"record","name":"Bench","namespace":"cn.changtong.bench","fields":[
    {"name":"id","type":"long"},{"name":"carrier","type":"string"},{"name":"origin","type":"string"},
    {"name":"delay","type":["null","int"],"default":null},{"name":"note","type":"string","doc":"备注"}]}"#;

pub async fn run(authority: &Client, bench: &Asking) -> Done<Vec<Row>> {
    let host = raw::host(authority)?;
    let mut requests = Vec::new();
    for _ in 0..bench.agencies {
        let agency = setup::agency(authority).await?;
        let subject = format!("{}-value", agency.alias);
        let id = Connection::open(host).await?.register(host, &agency, &subject, SCHEMA).await?;
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
