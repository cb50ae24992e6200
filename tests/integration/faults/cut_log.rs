//! A broker that comes back with less than it had acknowledged: put back from an older copy of its files, or cut at the
//! end of one of them as where the power failed. Who lost records stands still, who lost none goes on; nobody is led
//! past what is missing, and a new generation brings back exactly what is still there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::broker::Broker;
use super::checksum::last_batch;
use super::copies::Copies;
use super::deployment::{Deployment, Process, Reader, Table, once, reconcile};
use crate::support::{Client, Pair, Reply, offsets_of, place_of};

const FIRST: std::ops::Range<u32> = 0..300;
const LAST: std::ops::Range<u32> = 300..400;
const LATER: std::ops::Range<u32> = 500..530;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_broker_that_comes_back_with_less_who_lost_stands_still_and_nobody_else() {
    let Some(mut broker) = Broker::with_sessions_of(3000) else { return };
    let Some(mut deployment) = Deployment::new(Pair::Production).await else { return };
    broker.answers().await;
    deployment.set("CHANGTONG_KAFKA__BROKERS", broker.address.clone());
    let server = deployment.start("node", None).await;
    let older = deployment.table(&server).await;
    let cut = deployment.table_of(&server, older.key()).await;
    let whole = deployment.table_of(&server, older.key()).await;
    for table in [&older, &cut, &whole] {
        table.publish(&server, "first", FIRST).await.expect("a first batch");
    }
    cut.publish(&server, "last", LAST).await.expect("a batch of which a part is lost");
    broker.is_copied();
    older.publish(&server, "last", LAST).await.expect("a batch that is lost");
    let of_older = deployment.reader(&server, &older).await;
    let copies = Copies::begin(&deployment, &server, &of_older).await;
    let of_cut = deployment.reads(&server, &cut, of_older.key.clone(), json!({})).await;
    copies.come_to(&server, &once(&[FIRST, LAST])).await;
    let (had, behind) = delivered(&server, &of_cut, "").await.expect("all of it");
    assert_eq!(had.len(), 400);

    broker.kill();
    broker.is_put_back();
    let lost = torn(&broker.segment(&format!("{}ct.r.2-1", deployment.setting("CHANGTONG_LOG__PREFIX"))));
    broker.run();
    broker.answers().await;
    for (table, reader) in [(&older, &of_older), (&cut, &of_cut)] {
        stands_still(&server, table, reader).await;
    }
    assert_eq!(whole.visible(&server).await, once(&[FIRST]), "it lost nothing");
    whole.publish(&server, "later", LATER).await.expect("it goes on");
    assert_eq!(whole.visible(&server).await, once(&[FIRST, LATER]));
    let ready = Client::new(server.operations(), None).get("/health/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.text);

    let left = once(&[FIRST]);
    comes_back(&server, &older, &of_older, &left).await;
    copies.go_on(&server).await;
    copies.come_to(&server, &once(&[FIRST, LATER])).await;
    let kept = |line: &Value| !lost.iter().any(|id| line["id"] == *id);
    let left = counted(&had.into_iter().filter(kept).collect::<Vec<_>>());
    assert_eq!(left.len(), 400 - lost.len());
    let old = delivered(&server, &of_cut, &format!("&cursor={behind}")).await;
    assert_eq!(old.expect_err("it stands still").code(), "log_rolled_back");
    comes_back(&server, &cut, &of_cut, &left).await;
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

/// Cuts some bytes off the end of a segment; answers the ids of the records that its last batch held.
fn torn(segment: &Path) -> Vec<String> {
    let bytes = std::fs::read(segment).expect("the segment");
    let file = std::fs::OpenOptions::new().write(true).open(segment).expect("the segment");
    file.set_len(bytes.len() as u64 - 7).expect("it is cut");
    last_batch(&bytes).map(|offset| format!("1.1.{offset}")).collect()
}

/// Waits until the loss is found; till then nobody is given anything wrong, or led past what is missing.
async fn stands_still(server: &Process, table: &Table, reader: &Reader) {
    let (all, mut found) = (once(&[FIRST, LAST]), false);
    for _ in 0..480 {
        let read = delivered(server, reader, "").await.map(|(lines, next)| led_past_nothing(&lines, next));
        for answer in [read.map_err(|reply| reply.code()), table.all(server).await] {
            match answer {
                Ok(given) => assert!(!found && given.iter().all(|(id, times)| all.get(id) == Some(times))),
                Err(code) if code == "log_rolled_back" => found = true,
                Err(code) => assert!(!found && code == "broker_unavailable", "{code}: {}", server.said()),
            }
        }
        if found {
            let refused = table.publish_once(server, "refused", LATER).await.expect_err("it stands still");
            assert_eq!(refused.code(), Some("log_rolled_back"), "{refused}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the loss was never found: {}", server.said());
}

/// What was given from the start, where the cursor behind it stands right behind the last of each partition.
fn led_past_nothing(lines: &[Value], next: String) -> BTreeMap<u64, usize> {
    let mut given = vec![Vec::new(); 3];
    for (partition, offset) in lines.iter().map(place_of) {
        given[partition].push(offset);
    }
    let passed: Vec<Vec<i64>> = offsets_of(&next.into()).into_iter().map(|end| (0..end).collect()).collect();
    assert_eq!(given, passed, "each record in its order, and none passed over");
    counted(lines)
}

/// By a new generation, in which its readers begin anew with exactly what is left.
async fn comes_back(server: &Process, table: &Table, reader: &Reader, left: &BTreeMap<u64, usize>) {
    let moved = table.new_generation(server, None).await.expect("the way out");
    assert_eq!((&moved["copied"], &moved["generation"]), (&left.len().into(), &2.into()), "{moved}");
    assert_eq!(&table.visible(server).await, left, "what is still there, and nothing else");
    let changed = delivered(server, reader, "").await.expect_err("another view");
    assert_eq!((changed.status, changed.code().as_str()), (410, "view_changed"));
    let next = changed.json()["next"].as_str().expect("its first cursor").to_owned();
    let (lines, _) = delivered(server, reader, &format!("&cursor={next}")).await.expect("all of it");
    assert_eq!(&counted(&lines), left);
    table.publish(server, "later", LATER).await.expect("publishing goes on");
    let mut all = left.clone();
    all.extend(once(&[LATER]));
    assert_eq!(table.visible(server).await, all);
}

/// Everything that a reader is delivered, and the cursor behind it; or what it is refused with.
async fn delivered(server: &Process, reader: &Reader, from: &str) -> Result<(Vec<Value>, String), Reply> {
    let client = reader.client(server);
    let (mut all, mut from) = (Vec::new(), from.to_owned());
    loop {
        let page = client.get(&reader.path(&format!("limit=1000{from}"))).await;
        if page.status != 200 {
            return Err(page);
        }
        let mut lines = page.lines();
        let next = lines.pop().expect("a last line")["next"].as_str().expect("a cursor").to_owned();
        if lines.is_empty() {
            return Ok((all, next));
        }
        all.extend(lines);
        from = format!("&cursor={next}");
    }
}

fn counted(lines: &[Value]) -> BTreeMap<u64, usize> {
    let mut held = BTreeMap::new();
    for line in lines {
        *held.entry(line["record"]["id"].as_u64().expect("a value")).or_default() += 1;
    }
    held
}
