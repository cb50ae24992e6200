//! Connectors in processes of their own against the real application: what the server's list and the process's own page
//! say of them, the orders they obey, and what they refuse to begin with.

#[cfg(feature = "faults")]
mod clock;
mod page;
mod refusals;
mod sockets;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::shell::Shell;
use crate::support::{Client, Road, TestApp, Turn, World, on_both_pairs, request_file, resource_file, wait};

on_both_pairs!(
    it_lives_obeys_and_falls_silent,
    a_second_process_waits_and_a_removed_one_ends,
    a_rough_road_costs_time_only,
);

/// A process of its own with an empty folder beside it.
struct Beside {
    shell: Shell,
    url: String,
    key: String,
}

impl Beside {
    fn new(app: &TestApp, key: &str) -> Self {
        Self { shell: Shell::new(), url: format!("http://{}", app.api), key: key.to_owned() }
    }

    fn spawn(&self, more: &[&str]) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.shell.path("log"));
        self.command(more).stderr(log.expect("a log")).spawn().expect("it starts")
    }

    fn command(&self, more: &[&str]) -> Command {
        let args: Vec<&str> =
            ["connector", "run", "obs-in.toml"].into_iter().chain(more.iter().copied()).collect();
        let mut command = self.shell.command(&args);
        command.env("CHANGTONG_URL", &self.url).env("CHANGTONG_KEY", &self.key);
        command
    }

    fn said(&self) -> String {
        self.shell.read("log")
    }

    /// The address of its page, which the log names.
    fn page(&self) -> Option<String> {
        Some(self.said().split("address=").nth(1)?.split_whitespace().next()?.to_owned())
    }

    /// What its page says of a metric, with its labels.
    async fn metric(&self, name: &str) -> Option<f64> {
        let address = self.page()?;
        let page = reqwest::get(format!("http://{address}/metrics")).await.ok()?.text().await.ok()?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.parse().ok()
    }
}

fn source(code: &str) -> String {
    format!(
        "name = \"obs-in\"\nprocess = \"own\"\nresource = \"{code}\"\n[source.file]\npath = \"in/obs.csv\"\n\
         format = \"csv\"\nmode = \"append\"\n"
    )
}

fn rows(hours: std::ops::Range<u32>) -> String {
    hours.map(|hour| format!("JFK,{hour},{hour}.5,王小明\n")).collect()
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the file");
}

async fn it_lives_obeys_and_falls_silent(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let integrator = &world.provider.integrator;
    let beside = Beside::new(app, integrator.key());
    beside.shell.write("obs-in.toml", source(&code));
    let mut process = beside.spawn(&["--metrics", "127.0.0.1:0"]);
    let watched = process.id().expect("it runs");

    // It says what it waits for, and that the folder of it is not there.
    let shown = until(integrator, |status| status["details"]["waits_for"].is_object()).await;
    let waits = &shown["status"]["details"]["waits_for"];
    assert!(
        waits["path"].as_str().is_some_and(|path| path.ends_with("/in/obs.csv") && path.starts_with('/'))
    );
    assert_eq!(waits["folder"], "missing");
    assert_eq!((&shown["process"], &shown["status"]["state"]), (&json!("own"), &json!("running")));
    assert_eq!(shown["status"]["version"], env!("CARGO_PKG_VERSION"));

    std::fs::create_dir(beside.shell.path("in")).expect("a folder");
    let file = beside.shell.path("in/obs.csv");
    append(&file, &format!("station,hour,temp,observer\n{}", rows(0..10)));
    until(integrator, |status| status["details"]["counts"]["accepted"] == 10).await;
    assert_eq!(records(integrator, &code).await, 10);
    assert_eq!(beside.metric("changtong_connector_state{state=\"running\"}").await, Some(1.0));
    assert_eq!(beside.metric("changtong_connector_server_answers").await, Some(1.0));
    assert_eq!(beside.metric("changtong_connector_records_total{outcome=\"published\"}").await, Some(10.0));
    assert!(
        beside.metric("changtong_connector_caught_up_timestamp_seconds").await.is_some_and(|at| at > 1e9)
    );
    assert_eq!(beside.metric("changtong_publishes_total").await, None, "nothing of the server's");
    let page: std::net::SocketAddr = beside.page().expect("its page").parse().expect("an address");
    // As the kernel writes 127.0.0.1 and a port.
    let page = format!("tcp 0100007F:{:04X}", page.port());
    assert_eq!(sockets::listens_on(watched), [page], "its page, and nothing else");

    for (order, state) in [("pause", "paused"), ("stop", "stopped")] {
        integrator.post(&format!("/api/v1/connectors/obs-in/{order}"), json!({})).await.expect(200);
        until(integrator, |status| status["state"] == state).await;
        append(&file, &rows(10..12));
    }
    assert_eq!(records(integrator, &code).await, 10, "it stands still");
    integrator.post("/api/v1/connectors/obs-in/start", json!({})).await.expect(200);
    until(integrator, |status| status["details"]["counts"]["accepted"] == 4).await;
    assert_eq!(records(integrator, &code).await, 14);

    // A reset makes it begin anew, as another source.
    integrator.post("/api/v1/connectors/obs-in/stop", json!({})).await.expect(200);
    until(integrator, |status| status["state"] == "stopped").await;
    integrator.post("/api/v1/connectors/obs-in/reset", json!({})).await.expect(200);
    integrator.post("/api/v1/connectors/obs-in/start", json!({})).await.expect(200);
    until(integrator, |status| status["details"]["counts"]["accepted"] == 14).await;

    process.kill().await.expect("kill -9");
    let silent = until(integrator, |status| status["state"] == "silent").await;
    assert_eq!(silent["status"]["before"], "running");
    let listed = world.operator.get("/api/v1/connectors").await.expect(200);
    assert_eq!(listed["items"][0]["status"]["state"], "silent", "{listed}");

    let mut process = beside.spawn(&[]);
    until(integrator, |status| status["state"] == "running").await;
    let id = process.id().expect("it runs");
    let taken = sockets::listens_on(id);
    assert!(taken.is_empty(), "it makes calls and takes none: {taken:?}");
    assert!(Command::new("kill").arg(id.to_string()).status().await.expect("kill").success());
    assert!(process.wait().await.expect("its end").success(), "{}", beside.said());
    let ended = integrator.get("/api/v1/connectors/obs-in").await.expect(200);
    assert_eq!(ended["status"]["state"], "stopped", "it said that it ended");
    assert_eq!(records(integrator, &code).await, 28, "a restart publishes nothing again");
}

async fn a_second_process_waits_and_a_removed_one_ends(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let integrator = &world.provider.integrator;
    let first = Beside::new(app, integrator.key());
    let second = Beside::new(app, integrator.key());
    for beside in [&first, &second] {
        beside.shell.write("obs-in.toml", source(&code));
        std::fs::create_dir(beside.shell.path("in")).expect("a folder");
        append(&beside.shell.path("in/obs.csv"), &format!("station,hour,temp,observer\n{}", rows(0..5)));
    }
    let mut running = first.spawn(&[]);
    until(integrator, |status| status["details"]["counts"]["accepted"] == 5).await;
    let taken = first.shell_refuses().await;
    assert!(taken.contains("another process uses the state file"), "{taken}");

    let mut waiting = second.spawn(&["--metrics", "127.0.0.1:0"]);
    wait(async || {
        let said = second.said();
        if said.contains("another process runs this connector") { Ok(()) } else { Err(said) }
    })
    .await;
    assert_eq!(second.metric("changtong_connector_state{state=\"failed\"}").await, Some(1.0));
    // When the first is gone for long enough, the second goes on where it was.
    running.kill().await.expect("kill -9");
    append(&second.shell.path("in/obs.csv"), &rows(5..8));
    until(integrator, |status| status["details"]["counts"]["accepted"] == 3).await;
    assert_eq!(records(integrator, &code).await, 8);

    integrator.request("delete", "/api/v1/connectors/obs-in").send().await.expect("it is removed");
    let ended = tokio::time::timeout(Duration::from_secs(60), waiting.wait()).await.expect("it ends");
    assert_eq!(ended.expect("its end").code(), Some(1));
    let again = second.shell_refuses().await;
    assert!(again.contains("removed") && again.contains("obs-in.state"), "{again}");
    std::fs::remove_file(second.shell.path("obs-in.state")).expect("the state file");
    let mut anew = second.spawn(&[]);
    until(integrator, |status| status["state"] == "running").await;
    anew.kill().await.expect("kill -9");
}

async fn a_rough_road_costs_time_only(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let integrator = &world.provider.integrator;
    let road = Road::to(app.api).await;
    // The first tries of its first step: nobody there, too fast, done without an answer.
    for turn in [Turn::Refuse, Turn::SlowDown, Turn::LoseAnswer] {
        road.expect("/records?on_invalid", turn);
    }
    let beside = Beside { url: road.url(), ..Beside::new(app, integrator.key()) };
    beside.shell.write("obs-in.toml", source(&code).replace("mode = \"append\"", "batch_records = 4"));
    std::fs::create_dir(beside.shell.path("in")).expect("a folder");
    append(&beside.shell.path("in/obs.csv"), &format!("station,hour,temp,observer\n{}", rows(0..10)));
    let mut process = beside.spawn(&[]);
    let left = until(integrator, |status| status["details"]["lag"]["caught_up_at"].is_string()).await;
    assert_eq!((road.left(), records(integrator, &code).await), (0, 10), "{left}");
    assert_eq!(left["status"]["state"], "running");
    process.kill().await.expect("kill -9");

    let (_, request) = world.request(request_file(&code, &["station", "hour", "temp"], None)).await;
    let grant = request["grant"].as_str().expect("a grant");
    let reader = &world.consumer.integrator;
    let road = Road::to(app.api).await;
    for turn in [Turn::Refuse, Turn::LoseAnswer, Turn::SlowDown] {
        road.expect("GET /api/v1/subscriptions", turn);
    }
    road.expect("/acks", Turn::LoseAnswer);
    let beside = Beside { url: road.url(), ..Beside::new(app, reader.key()) };
    let sink = format!(
        "name = \"obs-in\"\nprocess = \"own\"\ngrant = \"{grant}\"\n[sink.file]\npath = \"obs.csv\"\nformat = \"csv\"\n"
    );
    beside.shell.write("obs-in.toml", sink);
    let mut process = beside.spawn(&[]);
    until(reader, |status| status["details"]["lag"]["caught_up_at"].is_string()).await;
    process.kill().await.expect("kill -9");
    assert_eq!(
        (road.left(), beside.shell.read("obs.csv").lines().count()),
        (0, 11),
        "a header and ten lines"
    );
}

impl Beside {
    /// What it says when it refuses to run.
    async fn shell_refuses(&self) -> String {
        let output = self.command(&[]).output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

async fn records(client: &Client, code: &str) -> usize {
    client.get(&format!("/api/v1/resources/{code}/records?limit=1000")).await.lines().len() - 1
}

async fn until(client: &Client, what: impl Fn(&Value) -> bool) -> Value {
    until_of(client, "obs-in", what).await
}

async fn until_of(client: &Client, name: &str, what: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    for _ in 0..900 {
        let reply = client.get(&format!("/api/v1/connectors/{name}")).await;
        if reply.status == 200 {
            found = reply.json();
            if what(&found["status"]) {
                return found;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to that: {found}");
}
