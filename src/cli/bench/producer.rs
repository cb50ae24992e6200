//! `changtong bench producer`: what share of a bare producer's rate goes through the bus. The same records, encoded by
//! the codec as the gate does it, go straight to the brokers first: by one producer set as the gate's is, without HTTP,
//! checks, visibility and events. Then they are published, for as long.

use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::ids::{BatchId, Generation, ResourceNumber, SchemaId, TopicName};
use changtong_catalog::resource::ResourceFile;
use changtong_connectors::avro::{BodyLimits, Format, Plan, read_body};
use changtong_connectors::log::kafka::{KafkaLog, KafkaMetrics, KafkaSettings};
use changtong_connectors::log::{Entry, Log as _, RECORD_MAX, TopicSpec};
use prometheus::Registry;
use serde_json::Value;

use super::super::failure::{Done, Failure};
use super::super::publish::salt;
use super::publish::measure;
use super::report::Row;
use super::setup::Agency;
use super::{Common, Producing, Publishing, load, setup};
use crate::client::Client;

/// What the server has by default where small publishes share requests; the bare producer waits for nobody.
const LINGER: Duration = Duration::from_millis(2);
const CLOSING: Duration = Duration::from_secs(10);

pub async fn run(authority: &Client, bench: &Producing) -> Done<Vec<Row>> {
    let settings = KafkaSettings {
        brokers: bench.brokers.clone(),
        tls: None,
        sasl: None,
        replication_factor: bench.replicas,
        min_insync_replicas: (bench.replicas - 1).max(1),
        linger: LINGER,
    };
    let metrics =
        KafkaMetrics::register(&Registry::new()).map_err(|error| Failure::Failed(error.to_string()))?;
    let log = KafkaLog::open(settings, metrics)?;
    let compared = compare(authority, bench, &log).await;
    log.close(CLOSING).await;
    compared
}

async fn compare(authority: &Client, bench: &Producing, log: &KafkaLog) -> Done<Vec<Row>> {
    let provider = setup::agency(authority).await?;
    let code = setup::resource(&provider).await?;
    let bodies = load::bodies(load::Format::Ndjson, bench.records);
    let partitions = partitions(&provider, &code, bench, log, &bodies[0]).await?;
    let entries = entries(&provider, partitions, &bodies)?;
    let bytes: usize = entries.iter().map(Entry::size).sum();
    let each = bytes as f64 / entries.len() as f64;
    // Named as nothing of a bus is.
    let name =
        TopicName::records(&format!("{}.{}", provider.alias, bench.prefix), ResourceNumber(0), Generation(1));
    let spec = TopicSpec { name, partitions, retention: None };
    let bare = log.produce_bare(&spec, entries, Duration::from_secs(bench.seconds)).await?;
    let bare_rate = bare.records as f64 / bare.elapsed.as_secs_f64();

    let Producing { records, concurrency, seconds, pid, .. } = *bench;
    let common = Common { records, pid };
    let publishing = Publishing { common, format: load::Format::Ndjson, concurrency, resources: 1, seconds };
    let published = measure(&[(provider.first, code)], &publishing).await?;
    let share = published.rate() / bare_rate * 100.0;
    Ok(vec![
        Row::new(format!("a bare producer, {partitions} partitions"))
            .with("records", bare.records as f64)
            .with("seconds", bare.elapsed.as_secs_f64())
            .with("records_per_second", bare_rate.round())
            .with("bytes_a_record", each),
        published
            .row(format!("publish, {records} records a request, {concurrency} callers"))
            .with("percent_of_the_bare_producer", share),
    ])
}

/// Publishes once; how many partitions the topic has. Brokers that do not hold just these records are not the server's.
async fn partitions(
    provider: &Agency,
    code: &str,
    bench: &Producing,
    log: &KafkaLog,
    body: &Bytes,
) -> Done<i32> {
    let shown = provider.first.get(&format!("/resources/{code}")).await?;
    let number = shown.get("number").and_then(Value::as_i64);
    let number = number.ok_or_else(|| Failure::Failed(format!("resource {code} has no number")))?;
    let ndjson = load::Format::Ndjson.media_type();
    provider.first.publish(code, ndjson, "reject", &salt(), body.clone()).await?;
    let topic = TopicName::records(&bench.prefix, ResourceNumber(number), Generation(1));
    let extents = log.extents(std::slice::from_ref(&topic)).await?.remove(&topic).unwrap_or_default();
    let held: i64 = extents.iter().map(|extent| extent.end).sum();
    if held != i64::from(bench.records) {
        return Err(Failure::Usage(format!(
            "{} holds {held} records in {topic}, the server took {}: --brokers and --prefix must be those of the \
             server (kafka.brokers, log.prefix)",
            bench.brokers, bench.records
        )));
    }
    i32::try_from(extents.len()).map_err(|error| Failure::Failed(error.to_string()))
}

/// The records as the gate appends them.
fn entries(provider: &Agency, partitions: i32, bodies: &[Bytes]) -> Done<Vec<Entry>> {
    let file: ResourceFile = serde_json::from_value(load::resource(&provider.alias, "300000"))
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let plan = Plan::of(&file, SchemaId(1), Some(SchemaId(2)), partitions);
    let limits = BodyLimits {
        records: usize::MAX,
        record_bytes: RECORD_MAX,
        decompressed: usize::MAX,
        ratio: usize::MAX,
    };
    let mut all = Vec::new();
    for body in bodies {
        let batch = BatchId(uuid::Uuid::nil());
        let read = read_body(&plan, Format::Ndjson, body, &limits, batch, &mut |_| Ok(()))?;
        let entry = |record: changtong_connectors::avro::Checked| Entry {
            partition: record.partition,
            key: record.key,
            value: record.value,
        };
        all.extend(read.records.into_iter().map(entry));
    }
    Ok(all)
}
