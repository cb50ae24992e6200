//! Cases 16 and 17: the broker is killed or stands still, the database is cut off or silent. What cannot be done is
//! refused by name, whatever needs no engine goes on, and once it is back the same requests succeed, each once.

use std::ops::Range;
use std::time::Duration;

use changtong::client::CallError;
use serde_json::Value;
use tokio::time::timeout;

use super::broker::Broker;
use super::deployment::{Deployment, Process, Table, once, reconcile};
use super::proxy::Proxy;
use crate::hostile::refused;
use crate::support::{Client, Event, Events, Others, Pair, Reply};

/// Longer than any deadline of the server: who waits for it waits for ever.
const FOR_EVER: Duration = Duration::from_secs(90);
/// Publishes at once while nothing can be done.
const CROWD: u32 = 60;

/// A lease is renewed every 3 seconds for 10; a transaction may take 3.
const SILENCE: Duration = Duration::from_secs(5);

const FIRST: Range<u32> = 0..310;
/// How many of them a second lets out to the reader.
const RATE: usize = 20;

fn batch(number: u32) -> Range<u32> {
    1000 * number..1000 * number + 30
}

/// A reader by event stream that is slow by its grant.
struct Reading {
    reader: Client,
    path: String,
    events: Events,
    ids: Vec<u64>,
    last: Option<String>,
}

impl Reading {
    async fn begin(deployment: &Deployment, server: &Process, table: &Table) -> Self {
        let limits = serde_json::json!({ "records_per_second": RATE });
        let reader = deployment.reader_within(server, table, limits).await;
        let path = reader.path("");
        let reader = Client::new(server.url.clone(), Some(reader.key));
        let events = Events::open(&reader, &path, None).await.expect("a stream");
        Self { reader, path, events, ids: Vec::new(), last: None }
    }

    fn take(&mut self, event: Event) {
        self.ids.push(event.data["record"]["id"].as_u64().expect("an id"));
        self.last = event.id;
    }

    async fn some(&mut self, count: usize) {
        for event in self.events.records(count).await {
            self.take(event);
        }
    }

    /// What was let out is received, what needs another window is not.
    async fn ends_with_its_window(&mut self) {
        let before = self.ids.len();
        let ending = async {
            loop {
                match self.events.next().await.expect("no reset").expect("a reason") {
                    event if event.kind == "record" => self.take(event),
                    event if event.kind == "end" => return event.data,
                    _ => {}
                }
            }
        };
        let end = timeout(FOR_EVER, ending).await.expect("it ends");
        assert_eq!(end["code"], "store_unavailable", "{end}");
        assert!(
            self.ids.len() - before < 3 * RATE,
            "{} more than a window lets out",
            self.ids.len() - before
        );
    }

    /// Behind what it received last, without a gap and nothing twice.
    async fn goes_on(&mut self) {
        let opening = Events::open(&self.reader, &self.path, self.last.as_deref());
        self.events = timeout(FOR_EVER, opening).await.expect("an answer").expect("a stream");
        self.some(RATE).await;
        let once: std::collections::BTreeSet<_> = self.ids.iter().collect();
        assert_eq!(once.len(), self.ids.len(), "a record came twice: {:?}", self.ids);
    }
}

async fn ready(server: &Process) -> (u16, Value) {
    let reply = Client::new(server.operations(), None).get("/health/ready").await;
    (reply.status, reply.json()["checks"].clone())
}

/// What every one of a crowd is answered.
async fn crowd(table: &Table, server: &Process, from: u32) -> Vec<Result<Value, CallError>> {
    let calls = (from..from + CROWD).map(|number| async move {
        let key = format!("crowd-{number}");
        timeout(FOR_EVER, table.publish_once(server, &key, batch(number))).await.expect("an answer")
    });
    futures::future::join_all(calls).await
}

/// It is one of these refusals, with a time to come back.
pub fn refused_by_name(server: &Process, refusal: &CallError, codes: &[&str]) {
    let CallError::Refused(problem) = refusal else { panic!("no answer: {refusal}: {}", server.said()) };
    assert!(codes.contains(&problem.code.as_str()), "{refusal}");
    assert!(problem.status == 503 && problem.retry_after.is_some(), "{refusal}");
}

async fn all_refused(table: &Table, server: &Process, from: u32, codes: &[&str]) {
    for answer in crowd(table, server, from).await {
        refused_by_name(server, &answer.expect_err("nothing can be acknowledged"), codes);
    }
}

/// The same requests again: each has its one result.
async fn all_succeed(table: &Table, server: &Process, from: u32) {
    for number in from..from + CROWD {
        let receipt =
            table.publish(server, &format!("crowd-{number}"), batch(number)).await.expect("the retry");
        assert_eq!(receipt["accepted"], 30);
    }
}

/// All of it is visible, once. What landed without counting holds readers up until it is declared dead.
async fn comes_to(table: &Table, server: &Process, numbers: Range<u32>) {
    let wanted = once(&ids(numbers));
    let coming = async {
        loop {
            let seen = table.visible(server).await;
            let right = seen.iter().all(|(id, times)| wanted.contains_key(id) && *times == 1);
            assert!(right, "doubled, or what nobody sent: {seen:?}");
            if seen == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(FOR_EVER, coming).await.expect("something acknowledged never comes");
}

fn ids(numbers: Range<u32>) -> Vec<Range<u32>> {
    std::iter::once(FIRST).chain(numbers.map(batch)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_stands_still_and_is_killed() {
    let Some(mut broker) = Broker::start() else { return };
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    deployment.set("CHANGTONG_KAFKA__BROKERS", broker.address.clone());
    let server = until_it_serves(&deployment).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    let others = others(&deployment, &server).await;
    let before = server.resident();

    broker.signal("-STOP");
    let codes = ["broker_unavailable", "overloaded"];
    tokio::join!(all_refused(&table, &server, 1, &codes), is_told_in_both_languages(&table, &server, &codes));
    let (status, checks) = ready(&server).await;
    assert_eq!((status, &checks["log"], &checks["store"]), (503, &"broker_unavailable".into(), &"ok".into()));
    table.catalog_is_served(&server).await;
    others.find_the_catalog().await;
    broker.signal("-CONT");
    all_succeed(&table, &server, 1).await;

    broker.kill();
    all_refused(&table, &server, 1 + CROWD, &["broker_unavailable", "overloaded"]).await;
    table.catalog_is_served(&server).await;
    broker.run();
    all_succeed(&table, &server, 1 + CROWD).await;
    comes_to(&table, &server, 1..1 + 2 * CROWD).await;
    others.come_to_be_served().await;
    assert_eq!(ready(&server).await.0, 200, "it recovered without a restart");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "what waits is bounded: {} MiB more", grown >> 20);
    let lines = server
        .said()
        .lines()
        .filter(|line| line.contains("librdkafka") || line.contains("kafka client"))
        .count();
    assert!(lines < 200, "{lines} lines about a broker that is away");
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// Two agencies that have nothing to do with the table, served before anything happens.
async fn others(deployment: &Deployment, server: &Process) -> Others {
    let others = Others::beside(&Client::new(server.url.clone(), Some(deployment.authority()))).await;
    others.are_served().await;
    others
}

/// Whose record cannot be taken now is told so in words.
async fn is_told_in_both_languages(table: &Table, server: &Process, codes: &[&str]) {
    let owner = Client::new(server.url.clone(), Some(table.key().to_owned()));
    let told = ["en", "zh"].map(|language| {
        let path = format!("/api/v1/resources/{}/records", table.code());
        let request =
            owner.request_in(language, "post", &path).header("content-type", "application/x-ndjson");
        async move {
            // Refused and never sent again, so never seen.
            let refusal = Reply::of(request.body("{\"id\":900000000}")).await;
            let code = refusal.code();
            assert!(codes.contains(&code.as_str()), "{}", refusal.text);
            refused(&refusal, 503, &code);
            assert_eq!(refusal.headers["content-language"], language);
        }
    });
    futures::future::join_all(told).await;
}

/// The broker may still be starting: a server that finds none ends and says so.
async fn until_it_serves(deployment: &Deployment) -> Process {
    loop {
        let mut server = deployment.spawn("node", None);
        if server.serves().await {
            return server;
        }
        assert!(server.said().contains("broker_unavailable"), "{}", server.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_cut_off_and_falls_silent() {
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    let (proxy, url) = Proxy::before_database(deployment.database().expect("PostgreSQL")).await;
    deployment.set("CHANGTONG_DATABASE__URL", url);
    let mut server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "first", FIRST).await.expect("a first batch");
    let others = others(&deployment, &server).await;
    let mut reading = Reading::begin(&deployment, &server, &table).await;
    reading.some(2 * RATE).await;
    let before = server.resident();

    // Cut off for less than the lease: it goes on by itself.
    proxy.close();
    let ((), (status, checks), (), ()) = tokio::join!(
        all_refused(&table, &server, 1, &["store_unavailable", "outcome_unknown"]),
        ready(&server),
        table.changes_are_refused(&server, "store_unavailable"),
        // All of this is answered while the database is away: nobody waits for it to come back.
        reading.ends_with_its_window(),
    );
    proxy.reopen();
    reading.goes_on().await;
    drop(reading);
    assert_eq!((status, &checks["store"]), (503, &"store_unavailable".into()));
    all_succeed(&table, &server, 1).await;
    others.come_to_be_served().await;

    // Silent: what was sent may arrive or not, and the same key tells which.
    // For less than what is left of a lease at any moment, and more than a transaction may take.
    proxy.fall_silent();
    let answers = tokio::join!(crowd(&table, &server, 1 + CROWD), async {
        tokio::time::sleep(SILENCE).await;
        proxy.reopen();
    })
    .0;
    let refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
    let codes = ["store_unavailable", "outcome_unknown", "overloaded"];
    refusals.clone().for_each(|refusal| refused_by_name(&server, refusal, &codes));
    assert!(refusals.count() > 0, "nobody waited for the silent database");
    all_succeed(&table, &server, 1 + CROWD).await;
    comes_to(&table, &server, 1..1 + 2 * CROWD).await;
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "what waits is bounded: {} MiB more", grown >> 20);

    // Silent for longer than the lease: it ends by itself before another server may begin.
    proxy.fall_silent();
    let code = timeout(FOR_EVER, server.exit_code()).await.expect("it ends");
    let said = server.said();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("本服务器失去了数据库的租约") && said.contains("lost its lease"), "{said}");
    proxy.reopen();
    let server = deployment.start("node", None).await;
    all_succeed(&table, &server, 1).await;
    comes_to(&table, &server, 1..1 + 2 * CROWD).await;
    others.at(&server.url).come_to_be_served().await;
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}
