//! Container files that are bombs (cases 3, 4 and 5), sent to a server of its own whose memory is measured.

use std::time::{Duration, Instant};

use async_compression::tokio::write::GzipEncoder;
use changtong::profiles::Profiles;
use changtong_catalog::avro::{MOST_BYTES, MOST_FIELDS, MOST_SYMBOLS};
use changtong_connectors::avro::container::{head, put_block};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;

use crate::shell::{PEOPLE, Shell, stop};
use crate::support::{Client, Others, Reply, number};

const MARKER: [u8; 16] = *b"0123456789abcdef";
/// What all bombs together may add to the most memory that the server ever had: four of the largest records, the bodies
/// of a few requests, and what allocators keep. Each bomb believed would take from 60 MiB to gigabytes.
const MOST_GROWTH: u64 = 24 << 20;

/// The items of the resource, and one field more.
fn schema(more: &str) -> String {
    format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"id","type":"long"}},{{"name":"x","type":{more}}}]}}"#
    )
}

pub(super) fn file(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
    let mut file = head(schema.as_bytes(), MARKER);
    put_block(records, data, MARKER, &mut file);
    file
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

/// A file whose block is deflated: what gzip makes, without its own head and tail.
pub(super) async fn deflated(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
    let gzip = gzip(data).await;
    let file = file(schema, records, &gzip[10..gzip.len() - 8]);
    let at = file.windows(5).position(|window| window == b"\x08null").unwrap();
    [&file[..at], b"\x0edeflate", &file[at + 5..]].concat()
}

/// The most memory that a process ever had, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("kilobytes") << 10
}

async fn send(client: &Client, body: &[u8], coding: &str, language: &str) -> Reply {
    let request = client.request_in(language, "post", "/api/v1/resources/300000-000001/records");
    let request = request.header("content-type", "application/avro").header("content-encoding", coding);
    Reply::of(request.body(body.to_vec())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_refused_by_name_in_bounded_memory() {
    let shell = Shell::new();
    let (server, provider, other) = serving(&shell).await;
    let process = server.id().expect("it runs");
    let others = Others::beside(&caller(&shell, "authority")).await;
    others.are_served().await;

    let entry = async || {
        let path = "/api/v1/resources/300000-000001";
        let shown = provider.get(path).await;
        (shown.headers["etag"].clone(), shown.text, provider.get(&format!("{path}/schema")).await.text)
    };
    let catalog = entry().await;
    let bombs = bombs().await;
    for bomb in &bombs {
        bomb.is_refused(&provider).await;
    }
    let before = peak(process);
    // Others' requests while bombs arrive: each is served, and none of their limits is touched.
    let mine = async {
        for bomb in &bombs {
            bomb.is_refused(&provider).await;
        }
    };
    let theirs = async {
        for call in 0..100 {
            if call % 20 == 0 {
                others.are_served().await;
            }
            let whoami = other.get("/api/v1/whoami").await.expect(200);
            let limits = whoami["limits"].as_array().expect("its limits");
            let used =
                limits.iter().filter(|limit| limit["level"] != "bus").map(|limit| number(limit, "used"));
            assert!(used.sum::<i64>() <= 2 * 100, "{whoami}");
        }
    };
    tokio::join!(mine, theirs);
    let growth = peak(process) - before;
    assert!(growth < MOST_GROWTH, "{} MiB", growth >> 20);
    assert_eq!(entry().await, catalog, "the catalog is unchanged");
    let good = file(&schema("\"string\""), 1, b"\x02\x02x");
    assert_eq!(send(&provider, &good, "identity", "en").await.expect(200)["accepted"], json!(1));
    let kept = provider.get("/api/v1/resources/300000-000001/records").await.lines();
    assert_eq!(kept.len(), 2, "one record and the last line: no bomb left anything");
    others.are_served().await;
    stop(server).await;
}

/// How often bombs and ordinary files take turns, who sends them at once, and what others ask for meanwhile.
const ROUNDS: usize = 4;
const SENDERS: usize = 4;
const CALLS: usize = 100;
/// How much more of others' time bombs may take than ordinary files. Bombs that were believed would take many times more.
const MOST_MORE: u32 = 3;

/// Whatever the machine is busy with lies on both alike. Others are slower under bombs only where they are so in every
/// round, against the slowest round under ordinary files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_04_bombs_hold_others_up_no_longer_than_ordinary_files() {
    let shell = Shell::new();
    let (server, provider, other) = serving(&shell).await;
    let bombs = bombs().await;
    let ordinary: Vec<Bomb> = bombs.iter().map(|bomb| ordinary(bomb.body.len())).collect();
    let (mut under_bombs, mut under_files) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        under_files.push(slow_call(&provider, &other, &ordinary).await);
        under_bombs.push(slow_call(&provider, &other, &bombs).await);
    }
    let (least, most) = (under_bombs.iter().min(), under_files.iter().max());
    let bound = most.expect("rounds").saturating_mul(MOST_MORE);
    assert!(least.is_some_and(|least| *least <= bound), "bombs {under_bombs:?}, files {under_files:?}");
    stop(server).await;
}

/// The second slowest of a hundred calls of somebody else while files are sent without a pause.
async fn slow_call(provider: &Client, other: &Client, files: &[Bomb]) -> Duration {
    let sending = (0..SENDERS).map(|sender| async move {
        for file in files.iter().cycle().skip(sender * files.len() / SENDERS) {
            let reply = send(provider, &file.body, file.coding, "en").await;
            assert_eq!((reply.status, reply.code().as_str()), file.refusal, "{}", reply.text);
        }
    });
    let calling = async {
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            other.get("/api/v1/whoami").await.expect(200);
            took.push(began.elapsed());
        }
        took.sort_unstable();
        took[CALLS - 2]
    };
    tokio::select! {
        _ = futures::future::join_all(sending) => panic!("they send for ever"),
        slow = calling => slow,
    }
}

/// A file of about that size which is taken.
fn ordinary(bytes: usize) -> Bomb {
    const MOST: usize = 300 << 10;
    let mut data = Vec::new();
    let mut records = 0;
    while records == 0 || data.len() < bytes {
        let length = (bytes - data.len().min(bytes)).clamp(1, MOST);
        data.push(2);
        let mut left = length << 1;
        while left > 0x7f {
            data.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        data.push(left as u8);
        data.extend(std::iter::repeat_n(b'x', length));
        records += 1;
    }
    let body = file(&schema("\"string\""), records, &data);
    Bomb { body, coding: "identity", refusal: (200, ""), path: "", says: Default::default() }
}

/// A server with a published table, its provider and another agency.
async fn serving(shell: &Shell) -> (Child, Client, Client) {
    let server = shell.serve(&["serve", "--dev"]).await;
    shell.line("agency add stats --name 统计局 --code 11999999FAKE00021N").await;
    shell.line("agency add emergency --name 应急管理局 --code 12440000FAKE0003XR").await;
    shell.write("people.toml", PEOPLE);
    shell.line("resource apply people.toml --publish --as stats").await;
    (server, caller(shell, "stats"), caller(shell, "emergency"))
}

/// With the key of that profile.
fn caller(shell: &Shell, profile: &str) -> Client {
    let profiles = Profiles::open(&shell.profiles()).expect("profiles");
    let profile = profiles.get(profile).expect("a profile");
    Client::new(profile.url.clone(), Some(profile.key.clone()))
}

/// A body that is one, and what its sender is told.
struct Bomb {
    body: Vec<u8>,
    coding: &'static str,
    refusal: (u16, &'static str),
    /// The place in the schema, or nothing where there is none.
    path: &'static str,
    /// Words of the text in English, and in Chinese.
    says: [String; 2],
}

impl Bomb {
    async fn is_refused(&self, client: &Client) {
        for (language, says) in ["en", "zh"].into_iter().zip(&self.says) {
            let reply = send(client, &self.body, self.coding, language).await;
            assert_eq!((reply.status, reply.code().as_str()), self.refusal, "{}", reply.text);
            let problem = reply.json();
            let detail = problem["detail"].as_str().expect("a text");
            assert!(detail.contains(says.as_str()), "{says}: {}", reply.text);
            assert!(self.path.is_empty() || problem["path"] == self.path, "{}: {}", self.path, reply.text);
        }
    }
}

async fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    // Schemas: what is too large is not read, what is read is told with its place.
    let both = |en: &str, zh: &str| [en.to_owned(), zh.to_owned()];
    let number = |number: usize| [number.to_string(), number.to_string()];
    let arrays = |depth: usize| {
        format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(depth), "}".repeat(depth))
    };
    let many = |count: usize, one: fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(",");
    let symbols = |count| {
        format!(r#"{{"type":"enum","name":"E","symbols":[{}]}}"#, many(count, |n| format!("\"S{n}\"")))
    };
    let fields = |count| {
        let fields = many(count, |n| format!(r#"{{"name":"f{n}","type":"null"}}"#));
        format!(r#"{{"type":"record","name":"F","fields":[{fields}]}}"#)
    };
    let long = format!(r#"{{"type":"string","doc":"{}"}}"#, "x".repeat(1 << 20));
    let recursive = r#"{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}"#;
    let fixed = r#"{"type":"fixed","name":"F","size":9223372036854775807}"#;
    let named = |name: &str| {
        format!(r#"{{"type":"record","name":"N","fields":[{{"name":"{name}","type":"long"}}]}}"#)
    };
    for (kind, path, says) in [
        (recursive.to_owned(), "fields[1].type.fields[0].type[1]", both("recursive", "递归")),
        (fixed.to_owned(), "fields[1].type.size", both("the size is", "字节数")),
        (arrays(200), "", both("nested too deep", "嵌套")),
        (fields(5000), "fields[1].type.fields", number(MOST_FIELDS)),
        (fields(10_000), "", number(MOST_BYTES)),
        (long, "", number(MOST_BYTES)),
        (symbols(20_000), "fields[1].type.symbols", number(MOST_SYMBOLS)),
        (symbols(100_000), "", number(MOST_BYTES)),
        (named("a\\u0000b"), "fields[1].type.fields[0].name", both("name", "名称")),
        (named("a\\u202eb"), "fields[1].type.fields[0].name", both("name", "名称")),
    ] {
        let body = file(&schema(&kind), 1, &[2; 501]);
        bombs.push(Bomb { body, coding: "identity", refusal: (422, "schema_rejected"), path, says });
    }
    // Data: counts and lengths are not believed.
    let nulls = r#"{"type":"array","items":"null"}"#;
    for (kind, datum, en, zh) in [
        (nulls, &b"\x02\x80\x80\x80\x80\x08\x00"[..], "too many elements", "数组元素过多"),
        ("\"string\"", b"\x02\x80\x80\x80\x80\x80\x40", "ends behind its block", "超出数据块的末尾"),
    ] {
        let body = file(&schema(kind), 1, datum);
        let says = both(en, zh);
        bombs.push(Bomb { body, coding: "identity", refusal: (422, "record_undecodable"), path: "", says });
    }
    // Compression: records of 100,000 zeros each, in a block and around the whole file.
    let record = [&b"\x02\xc0\x9a\x0c"[..], &vec![0; 100_000]].concat();
    let zeros = record.repeat(600);
    let packed = deflated(&schema("\"bytes\""), 600, &zeros).await;
    let around = gzip(&file(&schema("\"bytes\""), 600, &zeros)).await;
    for (body, coding) in [(packed, "identity"), (around, "gzip")] {
        let says = both("more than 100 times", "超过 100 倍");
        bombs.push(Bomb { body, coding, refusal: (413, "decompressed_too_large"), path: "", says });
    }
    bombs
}
