//! What most cases begin with: a published table, a consumer with a grant on it, and how an error must look.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::{Client, Others, Reply, TestApp, World, request_file, resource_file};

pub struct Scene {
    pub world: World,
    /// The entry's code, as it stands in a path.
    pub code: String,
    /// Made for whoever asks for them first.
    others: OnceCell<Others>,
}

impl Scene {
    /// An unconditional table of the provider.
    pub async fn of(app: &TestApp) -> Self {
        Self::at(World::of(app).await, resource_file("unconditional")).await
    }

    /// Whatever table of the provider, at whichever server.
    pub async fn at(world: World, file: Value) -> Self {
        let code = world.entry(file).await;
        Self { world, code, others: OnceCell::new() }
    }

    pub fn records(&self) -> String {
        format!("/api/v1/resources/{}/records", self.code)
    }

    /// What the consumer asks for; `null` members are left out.
    pub fn request(&self, items: &[&str], filter: Option<&str>) -> Value {
        request_file(&self.code, items, filter)
    }

    /// A grant of these items, given at once; answers its id.
    pub async fn granted(&self, items: &[&str], filter: Option<&str>) -> String {
        let (_, request) = self.world.request(self.request(items, filter)).await;
        request["grant"].as_str().unwrap_or_else(|| panic!("no grant: {request}")).to_owned()
    }

    pub async fn publish(&self, lines: &[Value]) -> Reply {
        self.world.provider.integrator.publish(&self.code, lines).await
    }

    /// The same, told in Chinese what is wrong with it.
    pub async fn publish_in_chinese(&self, lines: &[Value]) -> String {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let request = self.world.provider.integrator.request_in("zh", "post", &self.records());
        said_in_chinese(request.header("content-type", "application/x-ndjson").body(body)).await
    }

    /// The records that count, as their owner reads them.
    pub async fn own(&self) -> Vec<Value> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{}?limit=10000{cursor}", self.records());
            let mut lines = self.world.provider.integrator.get(&path).await.lines();
            let last = lines.pop().expect("a last line");
            if lines.is_empty() {
                return records;
            }
            records.extend(lines);
            cursor = format!("&cursor={}", last["next"].as_str().expect("a cursor"));
        }
    }

    /// Two agencies that have nothing to do with these. Who asks for them beforehand has them there before anything
    /// happens.
    pub async fn others(&self) -> &Others {
        self.others.get_or_init(|| Others::beside(&self.world.authority)).await
    }

    /// Nobody else was hurt: of two other agencies one publishes and the other finds and reads it. Nor was the table: it
    /// takes a record.
    pub async fn others_are_served(&self) {
        self.others().await.are_served().await;
        self.publish(&[observation("ZZZ", 23)]).await.expect(200);
    }
}

/// From when on a window counts, in milliseconds, as one of its events tells: its id is of that moment, which is before
/// its opening was committed.
pub fn window_began(event: &Value) -> i64 {
    let id: Uuid =
        event["window"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{event}"));
    i64::try_from(id.as_u128() >> 80).expect("milliseconds")
}

/// The sum of the lines of that page of /metrics that begin so.
pub fn metric(page: &str, begins: &str) -> u64 {
    let lines = page.lines().filter(|line| line.starts_with(begins));
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    lines.map(|line| value(line).unwrap_or_else(|| panic!("no number: {line}")) as u64).sum()
}

pub fn observation(station: &str, hour: usize) -> Value {
    json!({ "station": station, "hour": hour, "temp": "12.5", "observer": "王小明" })
}

/// A refusal as it must be: status and code, a text in the language that was asked for, an instance.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text);
    let problem = reply.json();
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.chars().count() > 10, "{problem}");
    match reply.headers["content-language"].to_str() {
        Ok("en") => assert!(detail.contains(|sign: char| sign.is_ascii_lowercase()), "{problem}"),
        Ok("zh") => assert!(!detail.is_ascii(), "{problem}"),
        other => panic!("in no language: {other:?}"),
    }
    assert_eq!(problem["instance"], reply.headers["x-request-id"].to_str().expect("an id"));
    problem
}

/// The same call, answered in Chinese.
pub async fn in_chinese(client: &Client, method: &str, path: &str, body: Option<Value>) -> String {
    let request = client.request_in("zh", method, path);
    said_in_chinese(match &body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// What a request that asked for Chinese is told.
pub async fn said_in_chinese(request: RequestBuilder) -> String {
    let reply = Reply::of(request).await;
    assert_eq!(reply.headers["content-language"], "zh");
    let detail = reply.json()["detail"].as_str().expect("a text").to_owned();
    assert!(!detail.is_ascii(), "{detail}");
    detail
}
