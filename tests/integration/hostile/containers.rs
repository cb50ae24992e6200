//! Container files that are bombs (cases 3, 4 and 5), sent to a server of its own whose memory is measured.

use async_compression::tokio::write::GzipEncoder;
use changtong::profiles::Profiles;
use changtong_connectors::avro::container::{head, put_block};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::shell::{PEOPLE, Shell, stop};
use crate::support::{Client, Reply};

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

fn file(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
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
async fn deflated(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
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

async fn send(client: &Client, body: &[u8], coding: &str) -> Reply {
    let request = client.request("post", "/api/v1/resources/300000-000001/records");
    let request = request.header("content-type", "application/avro").header("content-encoding", coding);
    Reply::of(request.body(body.to_vec())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_refused_by_name_in_bounded_memory() {
    let shell = Shell::new();
    let server = shell.serve(&["serve", "--dev"]).await;
    let process = server.id().expect("it runs");
    shell.line("agency add stats --name 统计局 --code 11999999FAKE00021N").await;
    shell.line("agency add emergency --name 应急管理局 --code 12440000FAKE0003XR").await;
    shell.write("people.toml", PEOPLE);
    shell.line("resource apply people.toml --publish --as stats").await;
    let profiles = Profiles::open(&shell.profiles()).expect("profiles");
    let client = |name: &str| {
        let profile = profiles.get(name).expect("a profile");
        Client::new(profile.url.clone(), Some(profile.key.clone()))
    };
    let (provider, other) = (client("stats"), client("emergency"));

    let nulls = r#"{"type":"array","items":"null"}"#;
    let recursive = r#"{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}"#;
    let fixed = r#"{"type":"fixed","name":"F","size":9223372036854775807}"#;
    // Records of 100,000 zeros each.
    let record = [&b"\x02\xc0\x9a\x0c"[..], &vec![0; 100_000]].concat();
    let zeros = record.repeat(600);
    let bombs = [
        (file(&schema(nulls), 1, b"\x02\x80\x80\x80\x80\x08\x00"), "identity", 422, "record_undecodable"),
        (file(&schema(recursive), 1, &[2; 501]), "identity", 422, "schema_rejected"),
        (file(&schema(fixed), 1, &[2; 64]), "identity", 422, "schema_rejected"),
        (
            file(&schema("\"string\""), 1, b"\x02\x80\x80\x80\x80\x80\x40"),
            "identity",
            422,
            "record_undecodable",
        ),
        (deflated(&schema("\"bytes\""), 600, &zeros).await, "identity", 413, "decompressed_too_large"),
        (gzip(&file(&schema("\"bytes\""), 600, &zeros)).await, "gzip", 413, "decompressed_too_large"),
    ];
    let good = file(&schema("\"string\""), 1, b"\x02\x02x");
    for (body, coding, ..) in &bombs {
        send(&provider, body, coding).await;
    }
    let before = peak(process);
    for (body, coding, status, code) in bombs.iter().cycle().take(10 * bombs.len()) {
        let reply = send(&provider, body, coding).await;
        assert_eq!((reply.status, reply.code().as_str()), (*status, *code), "{}", reply.text);
        assert!(reply.json()["detail"].as_str().is_some_and(|text| text.len() > 20), "{}", reply.text);
        other.get("/api/v1/whoami").await.expect(200);
    }
    let growth = peak(process) - before;
    assert!(growth < MOST_GROWTH, "{} MiB", growth >> 20);
    assert_eq!(send(&provider, &good, "identity").await.expect(200)["accepted"], json!(1));
    let kept = provider.get("/api/v1/resources/300000-000001/records").await.lines();
    assert_eq!(kept.len(), 2, "one record and the last line: no bomb left anything");
    stop(server).await;
}
