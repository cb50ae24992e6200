//! From start to stop: one process for a folder, one server for a database, and a stop that waits for nobody.

use changtong::app::{App, StartError};
use changtong::keys::KeysError;
use changtong_catalog::audit::Build;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Code;
use serde_json::json;

use crate::support::{Pair, Reply, TestApp, World, on_both_pairs, request_file, resource_file};

on_both_pairs!(a_server_whose_database_is_taken_lets_nothing_more_out);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_does_not_get_the_folder() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let second = App::open(app.app().settings.clone()).await.map(drop);
    assert!(matches!(second, Err(StartError::Node(_))), "{second:?}");
    app.client(&app.authority).get("/api/v1/whoami").await.expect(200);
    app.stop().await;
}

async fn a_server_whose_database_is_taken_lets_nothing_more_out(app: &TestApp) {
    let served = app.app();
    let later = served.clock.now() + chrono::TimeDelta::seconds(60);
    let other = served.ids.uuid(later);
    served
        .store
        .take_server(other, Build("test"), later, &*served.ids)
        .await
        .expect("its lease is over by then");
    served.stop.cancelled().await;
    assert_eq!(served.alive.check().unwrap_err().code, Code::AnotherServerActive);
    let asked = app.client(&app.authority).request("get", "/api/v1/whoami");
    let told = Reply::if_any(asked).await;
    assert!(told.is_none(), "not even a refusal: {}", told.map(|reply| reply.text).unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_reader_that_waits() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    world.provider.integrator.publish(&code, &[json!({ "station": "JFK", "hour": 1 })]).await.expect(200);
    let (_, request) = world.request(request_file(&code, &["station", "hour"], None)).await;
    let subscription = world.subscribe(request["grant"].as_str().expect("a grant"), "copy").await;
    let reader = world.consumer.integrator.clone();
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let lines = reader.get(&records).await.lines();
    let next = lines.last().expect("a last line")["next"].as_str().expect("a cursor").to_owned();
    let waiting = tokio::spawn(async move { reader.get(&format!("{records}?cursor={next}&wait=60s")).await });
    while app.app().gate.metrics().waiting_polls.get() == 0 {
        tokio::task::yield_now().await;
    }
    app.stop().await;
    let answer = waiting.await.expect("the reader's task");
    assert!(matches!(answer.status, 200 | 503), "{}: {}", answer.status, answer.text);
}

/// Each use keeps the id of its key: one that is used and gone refuses the start (protocol.md 10).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_grant_names_must_be_there() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let asked = request_file(&code, &["station", "hour"], None);
    assert_eq!(world.request(asked).await.1["state"], "agreed");

    // Another node on the same store, with all keys but those of one purpose.
    let first = app.app().settings.clone();
    for missing in ["handle", "pseudonym", "pepper"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = first.clone();
        settings.data.dir = folder.path().join("data");
        settings.keys.dir = Some(folder.path().join("keys"));
        settings.database.url = Some(format!("sqlite:{}", first.data.dir.join("catalog.db").display()));
        std::fs::create_dir(folder.path().join("keys")).expect("a folder");
        for key in std::fs::read_dir(first.data.dir.join("keys")).expect("keys") {
            let key = key.expect("a key");
            let name = key.file_name().into_string().expect("its name");
            if !name.starts_with(missing) {
                std::fs::copy(key.path(), folder.path().join("keys").join(name)).expect("a copy");
            }
        }
        let refused = App::open(settings).await.map(drop);
        assert!(
            matches!(refused, Err(StartError::Keys(KeysError::Missing { .. }))),
            "{missing}: {refused:?}"
        );
    }
    app.stop().await;
}
