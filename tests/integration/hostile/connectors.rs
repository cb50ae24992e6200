//! Cases 9 and 22 as connectors meet them: a connector's file that would read what is not its own; records that are set
//! aside.

use std::path::PathBuf;
use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, metric, observation, refused};
use crate::support::{Client, Pair, Reply, TestApp, number, on_both_pairs, wait};

on_both_pairs!(what_is_set_aside_is_told_and_can_be_published_after_all);

pub async fn folder(app: &TestApp, scene: &Scene, alias: &str) -> PathBuf {
    let shown = scene.world.authority.get(&format!("/api/v1/agencies/{alias}")).await.expect(200);
    let code = shown["code"].as_str().expect("a credit code");
    let folder = app.app().settings.data.dir.join("files").join(code);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn source(scene: &Scene, name: &str, path: &str) -> Value {
    json!({ "name": name, "resource": scene.code,
        "source": { "file": { "path": path, "format": "csv", "mode": "append" } } })
}

/// The code of what a connector failed with, once it has; it says so in both languages.
pub async fn failure(caller: &Client, name: &str) -> String {
    loop {
        let shown = caller.get(&format!("/api/v1/connectors/{name}")).await.expect(200);
        let error = &shown["status"]["details"]["last_error"];
        if let Some(code) = error["code"].as_str() {
            let words = |language: &str| error[language].as_str().unwrap_or_default();
            assert!(words("en").len() > 10 && !words("zh").is_ascii(), "{error}");
            return code.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_connector_reads_nothing_outside_its_folder() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let owner = &scene.world.provider.integrator;
    let inbox = folder(&app, &scene, "meteorology").await;
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("a.csv"), "station,hour\nSECRET,1\n").expect("a file");
    let absolute = outside.path().join("a.csv").display().to_string();

    for path in ["../a.csv", "x/../../a.csv", "/etc/passwd", &absolute, "a\0.csv", "", "..", "./../a.csv"] {
        let reply = owner.post("/api/v1/connectors", source(&scene, "climbing", path)).await;
        refused(&reply, 422, "path_outside_root");
    }
    // Of another agency, by way of its folder's name.
    let foreign = folder(&app, &scene, "forestry").await;
    std::fs::write(foreign.join("a.csv"), "station,hour\nSECRET,2\n").expect("a file");
    let name = foreign.file_name().expect("a name").to_string_lossy().into_owned();
    let reply =
        owner.post("/api/v1/connectors", source(&scene, "foreign", &format!("../{name}/a.csv"))).await;
    refused(&reply, 422, "path_outside_root");
    let climbing = source(&scene, "climbing", "../a.csv");
    let words = in_chinese(owner, "post", "/api/v1/connectors", Some(climbing)).await;
    assert!(words.contains("../a.csv"), "{words}");
    refusals_are_in_the_events(&app, &scene, "path_outside_root", 10).await;

    std::os::unix::fs::symlink(outside.path().join("a.csv"), inbox.join("link.csv")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), inbox.join("dir")).expect("a link");
    std::os::unix::fs::symlink(&foreign, inbox.join("other")).expect("a link");
    for (name, path) in [("one", "link.csv"), ("two", "dir/a.csv"), ("three", "other/a.csv")] {
        owner.post("/api/v1/connectors", source(&scene, name, path)).await.expect(201);
        assert_eq!(failure(owner, name).await, "path_outside_root");
    }
    // Each leaves its event.
    loop {
        let found = scene.world.auditor.get("/api/v1/audit/events?code=connector.state").await.expect(200);
        let events = found["items"].as_array().expect("events").iter();
        if events.filter(|event| event["error"] == "path_outside_root").count() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(scene.own().await.is_empty(), "nothing of it was read");

    // A file of its own is still read.
    std::fs::write(inbox.join("good.csv"), "station,hour\nJFK,1\n").expect("a file");
    owner.post("/api/v1/connectors", source(&scene, "good", "good.csv")).await.expect(201);
    while scene.own().await.len() != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.others_are_served().await;
    app.stop().await;
}

/// So many refusals with that code of the owner's integrator, found by whoever looks for its agency's; the minute that
/// they are counted in is over for the store.
async fn refusals_are_in_the_events(app: &TestApp, scene: &Scene, code: &str, count: i64) {
    let inside = app.app();
    let later = inside.clock.now() + Duration::from_secs(120);
    inside.refusals.write(&inside.store, later, &*inside.ids).await.expect("they are handed over");
    let asked = "/api/v1/audit/events?code=refused&agency=meteorology";
    let found = scene.world.auditor.get(asked).await.expect(200);
    let told = found["items"].as_array().expect("events").iter().filter(|event| event["refusal"] == code);
    let told: Vec<&Value> = told.collect();
    for event in &told {
        let actor = (&event["actor"]["account"], &event["actor"]["key"]);
        let owner = &scene.world.provider;
        assert_eq!(actor, (&json!(owner.integrator_account), &json!(owner.integrator_key)));
    }
    assert_eq!(told.iter().map(|event| number(event, "count")).sum::<i64>(), count, "{found}");
}

/// Pipes and sockets, from which nothing ever comes: they are refused, whoever waited for them could be stopped, and so
/// can the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_is_refused_and_holds_up_nobody() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let owner = &scene.world.provider.integrator;
    let inbox = folder(&app, &scene, "meteorology").await;
    for name in ["pipe.csv", "p-1.csv", "p-2.csv", "p-3.csv"] {
        let made = std::process::Command::new("mkfifo").arg(inbox.join(name)).status();
        assert!(made.expect("mkfifo").success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(inbox.join("socket.csv")).expect("a socket");
    std::fs::write(inbox.join("p-4.csv"), "station,hour\nJFK,1\n").expect("a file");
    for (name, path) in [("pipe", "pipe.csv"), ("socket", "socket.csv"), ("null", "p*.csv")] {
        owner.post("/api/v1/connectors", source(&scene, name, path)).await.expect(201);
    }
    for name in ["pipe", "socket"] {
        assert_eq!(failure(owner, name).await, "file_unreadable");
    }
    // Among files of a pattern they are none of them.
    while scene.own().await.len() != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What is written to is a file too.
    let grant = scene.granted(&["station", "hour"], None).await;
    let reader = &scene.world.consumer.integrator;
    let outbox = folder(&app, &scene, "emergency").await;
    for name in ["copy.csv", "copy.db", "mark.csv.changtong"] {
        let made = std::process::Command::new("mkfifo").arg(outbox.join(name)).status();
        assert!(made.expect("mkfifo").success());
    }
    let into = |name: &str, sink: Value| json!({ "name": name, "grant": grant, "sink": sink });
    let file = |path: &str| json!({ "file": { "path": path, "format": "csv" } });
    let sinks = [
        into("to-pipe", file("copy.csv")),
        into("to-mark", file("mark.csv")),
        into("to-database", json!({ "sql": { "url": "sqlite:copy.db", "table": "t" } })),
    ];
    for sink in sinks {
        reader.post("/api/v1/connectors", sink).await.expect(201);
    }
    assert_eq!(failure(reader, "to-pipe").await, "file_unreadable");
    assert_eq!(failure(reader, "to-mark").await, "file_unreadable");
    assert_eq!(failure(reader, "to-database").await, "path_outside_root");
    // None of them holds up the others, nor the end of its own.
    for order in ["stop", "reset", "start"] {
        owner.post(&format!("/api/v1/connectors/pipe/{order}"), json!({})).await.expect(200);
    }
    std::fs::write(inbox.join("good.csv"), "station,hour\nJFK,2\n").expect("a file");
    owner.post("/api/v1/connectors", source(&scene, "good", "good.csv")).await.expect(201);
    while scene.own().await.len() != 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.others_are_served().await;
    app.stop().await;
}

/// Case 22, set aside: what stands behind a poison record is published, and its owner is told of it, sees why and the bytes
/// as they came. The source stands behind it, and corrected it counts as well, once.
async fn what_is_set_aside_is_told_and_can_be_published_after_all(app: &TestApp) {
    let scene = Scene::of(app).await;
    let owner = &scene.world.provider.integrator;
    let path = folder(app, &scene, "meteorology").await.join("mixed.csv");
    std::fs::write(&path, "station,hour\nJFK,1\nJFK,noon\nLGA,2\n").expect("a file");
    let mut spec = source(&scene, "mixed", "mixed.csv");
    spec["on_invalid"] = json!("quarantine");
    owner.post("/api/v1/connectors", spec).await.expect(201);
    // Twice: what is appended later is read from behind the poison record, which is not offered again.
    for (more, accepted) in [("", 2), ("EWR,3\n", 3)] {
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("the file");
        std::io::Write::write_all(&mut file, more.as_bytes()).expect("written");
        wait(async || {
            let shown = owner.get("/api/v1/connectors/mixed").await.expect(200);
            let counts = &shown["status"]["details"]["counts"];
            let told = [&counts["accepted"], &counts["quarantined"], &counts["offered"]];
            if told == [&json!(accepted), &json!(1), &json!(accepted + 1)] {
                Ok(())
            } else {
                Err(shown.to_string())
            }
        })
        .await;
        assert_eq!(scene.own().await.len(), accepted);
    }
    let listed = owner.get(&format!("/api/v1/quarantine?resource={}", scene.code)).await.expect(200);
    let [aside] = &listed["items"].as_array().expect("a list")[..] else { panic!("one record: {listed}") };
    assert_eq!((&aside["path"], &aside["state"]), (&json!("hour"), &json!("waiting")));
    for language in ["zh", "en"] {
        assert!(aside["reason"][language].as_str().is_some_and(|reason| !reason.is_empty()), "{aside}");
    }
    // All of its agency's integrators find it, and nobody else: it is not asked who published it.
    let accounts = "/api/v1/agencies/meteorology/accounts";
    let steward = json!({ "name": "steward", "roles": ["integrator"] });
    let steward = scene.world.authority.post(accounts, steward).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", steward["id"].as_str().expect("an id"));
    let key = scene.world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let steward = app.client(key["text"].as_str().expect("a key"));
    let waiting = format!("/api/v1/quarantine?resource={}&state=waiting", scene.code);
    assert_eq!(steward.get(&waiting).await.expect(200)["items"], json!([aside]));
    refused(&scene.world.consumer.integrator.get(&waiting).await, 404, "not_found");
    // And its operator by a metric.
    let page = app.operator().get("/metrics").await.text;
    assert_eq!(metric(&page, "changtong_published_records_total{outcome=\"quarantined\"}"), 1, "{page}");
    // Told by an event as well: who, of which resource, with which batch, how many.
    let asked = format!("/api/v1/audit/events?code=quarantine.added&resource={}", scene.code);
    let told = scene.world.auditor.get(&asked).await.expect(200);
    let [event] = &told["items"].as_array().expect("events")[..] else { panic!("one event: {told}") };
    assert_eq!((&event["batch"], &event["records"]), (&aside["batch"], &json!(1)), "{event}");
    assert_eq!(event["actor"]["account"], json!(scene.world.provider.integrator_account));
    let address = format!("/api/v1/quarantine/{}", aside["id"].as_str().expect("an id"));
    let shown = owner.get(&address).await.expect(200);
    assert!(shown["record"].as_str().expect("its bytes").contains("JFK,noon"), "{shown}");
    let replay = async || {
        let request = owner.request("post", &format!("{address}/replay"));
        let request = request.header("content-type", "application/x-ndjson");
        Reply::of(request.body(observation("JFK", 12).to_string())).await.expect(200)
    };
    assert_eq!(
        (replay().await["replayed"].clone(), replay().await["replayed"].clone()),
        (json!(false), json!(true))
    );
    assert_eq!(scene.own().await.len(), 4, "it counts once");
    assert_eq!(steward.get(&waiting).await.expect(200)["items"], json!([]), "nothing waits any more");
    scene.others_are_served().await;
}
