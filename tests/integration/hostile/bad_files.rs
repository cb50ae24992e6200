//! Cases 5 and 22 as connectors meet them: files that hold what nobody can take.

use serde_json::{Value, json};

use super::connectors::{failure, folder};
use super::containers::{deflated, file};
use super::scene::Scene;
use crate::support::{TestApp, on_both_pairs, wait};

on_both_pairs!(one_bad_file_costs_no_other);

fn schema(more: &str) -> String {
    format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"station","type":"string"}},{{"name":"hour","type":"int"}}{more}]}}"#
    )
}

/// In Avro's binary form; short names and small numbers take a byte each.
fn record(station: &str, hour: u8) -> Vec<u8> {
    [&[2 * station.len() as u8], station.as_bytes(), &[2 * hour]].concat()
}

fn container(record: &[u8]) -> Vec<u8> {
    file(&schema(""), 1, record)
}

/// Cases 5 and 22: a bomb, a damaged container, text that is none, a record that does not fit. Each file is named with
/// its place and left as it is, its connector reads all others, and its owner is told by an event.
async fn one_bad_file_costs_no_other(app: &TestApp) {
    let scene = Scene::of(app).await;
    let owner = &scene.world.provider.integrator;
    let inbox = folder(app, &scene, "meteorology").await;
    // 60 MB of zeros in a block of some 60 kB; a whole block behind another marker than the head's.
    let zeros = [record("bomb", 0), b"\xc0\x9a\x0c".to_vec(), vec![0; 100_000]].concat().repeat(600);
    let bomb = deflated(&schema(r#",{"name":"more","type":"bytes"}"#), 600, &zeros).await;
    let mut damaged = container(&record("damaged", 0));
    damaged.pop();
    damaged.push(b'?');
    let bad: [(&str, &str, Vec<u8>, &str); 6] = [
        ("bytes", "csv", b"station,hour\nJFK,\xff\xfe\n".to_vec(), "file_unreadable"),
        (
            "endless",
            "csv",
            [b"station,hour\n\"".as_slice(), &vec![b'x'; 5 << 20]].concat(),
            "record_too_large",
        ),
        ("unfit", "csv", b"station,hour\nJFK,noon\n".to_vec(), "records_invalid"),
        ("json", "ndjson", b"{\"station\": \"JFK\", \"hour\": \n".to_vec(), "records_invalid"),
        ("bomb", "avro", bomb, "decompressed_too_large"),
        ("damaged", "avro", damaged, "file_unreadable"),
    ];
    let mut wanted = 0;
    for (name, format, bytes, code) in bad {
        let folder = inbox.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let (first, second) = (folder.join(format!("a.{format}")), folder.join(format!("b.{format}")));
        std::fs::write(&first, &bytes).expect("a file");
        let row = |hour: u8| match format {
            "csv" => format!("station,hour\n{name},{hour}\n").into_bytes(),
            "avro" => container(&record(name, hour)),
            _ => format!("{{\"station\": \"{name}\", \"hour\": {hour}}}\n").into_bytes(),
        };
        std::fs::write(&second, row(1)).expect("a file");
        let connector = json!({ "name": name, "resource": scene.code,
            "source": { "file": { "path": name, "format": format, "mode": "append" } } });
        owner.post("/api/v1/connectors", connector).await.expect(201);
        wanted += 1;
        wait(async || {
            let own = scene.own().await.len();
            if own == wanted { Ok(()) } else { Err(format!("{name}: {own} of {wanted}")) }
        })
        .await;
        assert_eq!(failure(owner, name).await, code, "{name}");
        // What comes later is read as well, and the failure is still told.
        std::fs::write(folder.join(format!("c.{format}")), row(2)).expect("a file");
        wanted += 1;
        wait(async || {
            let own = scene.own().await.len();
            if own == wanted { Ok(()) } else { Err(format!("{name}: {own} of {wanted}")) }
        })
        .await;
        let shown = owner.get(&format!("/api/v1/connectors/{name}")).await.expect(200);
        let details = &shown["status"]["details"];
        assert_eq!((&details["failing"]["total"], &details["last_error"]["code"]), (&json!(1), &json!(code)));
        assert_eq!(details["failing"]["parts"][0]["part"], format!("{name}/a.{format}"));
        for language in ["zh", "en"] {
            let text = details["last_error"][language].as_str().expect("a text");
            assert!(text.contains(&format!("{name}/a.{format}")), "{text}");
        }
        assert_eq!(std::fs::read(&first).expect("it is there"), bytes, "a source's files are left alone");
    }
    wait(async || {
        let found = scene.world.auditor.get("/api/v1/audit/events?code=connector.state").await.expect(200);
        let told = |event: &&Value| event["state"] == "failed";
        let events = found["items"].as_array().expect("events").iter().filter(told).count();
        if events == 6 { Ok(()) } else { Err(format!("{events} events")) }
    })
    .await;
    scene.others_are_served().await;
}
