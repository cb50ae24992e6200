//! `changtong bench versions`: what memory a server needs that keeps very many schemas. Each is registered under a
//! subject of its own, then asked for once by its id and once by subject and version.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::super::failure::{Done, Failure};
use super::measure::{self, Times};
use super::raw::{self, Connection, head};
use super::report::Row;
use super::setup::{self, Agency};
use super::{Registering, process};
use crate::client::Client;

/// Fields of each schema.
const FIELDS: usize = 20;

/// What is done with each schema.
#[derive(Debug, Clone, Copy)]
enum Step {
    Register,
    AskById,
    AskByVersion,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Register => "registered",
            Self::AskById => "asked for once by id",
            Self::AskByVersion => "asked for once by subject and version",
        }
    }
}

struct Bench {
    host: String,
    agencies: Vec<Agency>,
    versions: usize,
    connections: usize,
    pid: Option<u32>,
}

pub async fn run(authority: &Client, bench: &Registering) -> Done<Vec<Row>> {
    let mut agencies = Vec::new();
    for _ in 0..bench.agencies {
        agencies.push(setup::agency(authority).await?);
    }
    let bench = Arc::new(Bench {
        host: raw::host(authority)?.to_owned(),
        agencies,
        versions: bench.versions as usize,
        connections: usize::from(bench.connections),
        pid: bench.pid,
    });
    let (mut ids, mut rows) = (Arc::new(Vec::new()), Vec::new());
    for step in [Step::Register, Step::AskById, Step::AskByVersion] {
        let (told, row) = bench.all(step, &ids).await?;
        ids = Arc::new(told);
        rows.push(row);
    }
    Ok(rows)
}

impl Bench {
    /// Does one step with every schema, in turn over all connections; the schemas' ids.
    async fn all(self: &Arc<Self>, step: Step, ids: &Arc<Vec<u64>>) -> Done<(Vec<u64>, Row)> {
        let before = self.pid.and_then(process::used).map(|used| used.resident_mib());
        let (began, started) = (Instant::now(), measure::start(self.pid));
        let mut callers = JoinSet::new();
        for first in 0..self.connections {
            callers.spawn(self.clone().some(step, first, ids.clone()));
        }
        let (mut told, mut calls) = (vec![0; self.versions], Times::default());
        while let Some(ended) = callers.join_next().await {
            for (number, id, took) in ended.map_err(|error| Failure::Failed(error.to_string()))?? {
                told[number] = id;
                calls.push(took);
            }
        }
        let (seconds, used) = (began.elapsed().as_secs_f64(), measure::stop(started));
        let row = Row::new(format!("{} versions of {FIELDS} fields, {}", self.versions, step.name()))
            .with("requests", calls.len() as f64)
            .with("seconds", seconds)
            .with("requests_per_second", (calls.len() as f64 / seconds).round())
            .with_some("p50_ms", calls.part(50))
            .with_some("p99_ms", calls.part(99))
            .with_some("resident_mib_before", before)
            .with_some("resident_mib", used.map(|(_, after)| after.resident_mib()));
        Ok((told, row))
    }

    /// One connection's share: the number of each schema, its id, and how long it took.
    async fn some(
        self: Arc<Self>,
        step: Step,
        first: usize,
        ids: Arc<Vec<u64>>,
    ) -> Done<Vec<(usize, u64, Duration)>> {
        let mut connection = Connection::open(&self.host).await?;
        let mut done = Vec::new();
        for number in (first..self.versions).step_by(self.connections) {
            let agency = &self.agencies[number % self.agencies.len()];
            let subject = format!("{}-{number}-value", agency.alias);
            let began = Instant::now();
            let id = match step {
                Step::Register => connection.register(&self.host, agency, &subject, &schema(number)).await?,
                Step::AskById => {
                    let path = format!("/schemas/ids/{}", ids[number]);
                    self.ask(&mut connection, agency, &path, number).await?;
                    ids[number]
                }
                Step::AskByVersion => {
                    let path = format!("/subjects/{subject}/versions/1");
                    self.ask(&mut connection, agency, &path, number).await?;
                    ids[number]
                }
            };
            done.push((number, id, began.elapsed()));
        }
        Ok(done)
    }

    /// Only an answer with that number's schema counts.
    async fn ask(&self, connection: &mut Connection, agency: &Agency, path: &str, number: usize) -> Done {
        let answer = connection.ask(&head("GET", path, &self.host, agency.first.key(), 0)).await?;
        let name = format!("Bench{number}\\\"");
        if answer.windows(name.len()).any(|part| part == name.as_bytes()) {
            return Ok(());
        }
        Err(Failure::Failed(format!("{path} is not the schema that was registered there")))
    }
}

/// A schema that no other number has.
fn schema(number: usize) -> String {
    let field = |at: usize| {
        let kind = match at % 4 {
            0 => json!("long"),
            1 => json!("string"),
            2 => json!(["null", "int"]),
            _ => json!({ "type": "long", "logicalType": "timestamp-millis" }),
        };
        json!({ "name": format!("item_{at}"), "type": kind, "doc": format!("第 {at} 项,说明与一般资源的信息项一样长") })
    };
    let fields: Vec<_> = (0..FIELDS).map(field).collect();
    json!({ "type": "record", "name": format!("Bench{number}"), "namespace": "cn.changtong.bench", "fields": fields })
        .to_string()
}
