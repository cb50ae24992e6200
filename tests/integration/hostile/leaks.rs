//! Cases 33 and 37: what must show nowhere. Planted values of persons, keys and passwords go through everything that can
//! fail; then logs, metrics, error bodies, events and the process itself are searched for them.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::faults::deployment::{Deployment, Process, reconcile};
use crate::support::{Client, Others, Pair, Reply, World};

/// Values as they stand in records: no one else's business.
const PLANTED: [&str; 5] =
    ["11010519491231002X", "13912345678", "欧阳娜娜丽", "6222020200112233445", "zhou@example.cn"];
/// A value that a panic's words hold.
const CUT: &str = "司马相如3701";
const PASSWORD: &str = "sesame-street-42";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_record_or_a_secret_shows_embedded() {
    nothing_of_a_record_or_a_secret_shows(Pair::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_record_or_a_secret_shows_production() {
    nothing_of_a_record_or_a_secret_shows(Pair::Production).await;
}

async fn nothing_of_a_record_or_a_secret_shows(pair: Pair) {
    let Some(mut deployment) = Deployment::new(pair).await else { return };
    deployment.set("CHANGTONG_TELEMETRY__FILTER", "debug".to_owned());
    let password = deployment.folder().join("password");
    std::fs::write(&password, PASSWORD).expect("a secret");
    restrict(&password);
    deployment.set("CHANGTONG_DATABASE__PASSWORD", format!("file:{}", password.display()));
    if let Some(address) = deployment.database().and_then(address_of) {
        deployment.set("CHANGTONG_CONNECTORS__DATABASES", address);
    }
    // A delivery meets a fault of ours whose words hold a value, as those of a text cut in half would.
    let server = deployment.start("node", Some(&format!("deliver.opened=panic {CUT}"))).await;
    let authority = Client::new(server.url.clone(), Some(deployment.authority()));
    let world = World::at(authority.clone()).await;
    let scene = Scene::at(world, people()).await;
    let mut errors = provoke(&scene).await;
    errors.extend(connectors(&scene, &deployment).await);
    assert!(errors.len() > 25, "only {} refusals were provoked", errors.len());

    let keys: Vec<&str> = [&scene.world.provider, &scene.world.consumer]
        .iter()
        .flat_map(|agency| [agency.editor.key(), agency.reviewer.key(), agency.integrator.key()])
        .collect();
    let secrets: Vec<&str> = keys.iter().map(|key| key.split('_').nth(2).expect("a secret")).collect();
    let everything = [PLANTED.to_vec(), secrets, vec![PASSWORD]].concat();
    let fault = errors.iter().find(|error| error.contains("\"internal\"")).expect("the fault was answered");
    assert!(fault.contains("a fault of the server") && !fault.contains(CUT), "{fault}");
    for error in &errors {
        silent("an error body", error, &everything);
    }
    let metrics = Client::new(server.operations(), None);
    for path in ["/metrics", "/health/ready"] {
        silent(path, &metrics.get(path).await.text, &everything);
    }
    let events =
        scene.world.auditor.request("get", "/api/v1/audit/events").header("accept", "application/x-ndjson");
    let events = Reply::of(events).await;
    assert!(events.lines().len() > 30);
    silent("events", &events.text, &everything);
    let connectors = scene.world.consumer.integrator.get("/api/v1/connectors").await;
    silent("connectors", &connectors.text, &everything);
    of_the_process(&server, &everything);
    let said = server.said();
    assert!(said.lines().count() > 100, "it logs nothing: {said}");
    silent("the log", &said, &[everything, vec![CUT]].concat());
    assert!(
        said.contains("report it with this place") && said.contains("fault.rs"),
        "a fault has its place: {said}"
    );
    assert!(said.contains("from=\"127.0.0.1\"") && !said.contains("203.0.113.9"), "the true peer is logged");
    assert_eq!(scene.own().await.len(), 1, "the one good record is there, and nothing of the others");
    scene.others().await.are_served().await;
    server.kill().await;
    deployment.done().await;
}

fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
}

fn address_of(url: &str) -> Option<String> {
    url.rsplit('@').next()?.split('/').next().map(str::to_owned)
}

#[track_caller]
fn silent(place: &str, text: &str, planted: &[&str]) {
    for value in planted {
        if let Some(at) = text.find(value) {
            let line = text[..at].lines().count();
            let around: String = text[at..].chars().take(120).collect();
            panic!("{place}, line {line}, shows {value}: …{around}");
        }
    }
}

/// Arguments and environment that anyone on the machine may see.
fn of_the_process(server: &Process, planted: &[&str]) {
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", server.id())).expect("its state");
        silent(file, &String::from_utf8_lossy(&bytes), planted);
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("its limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("a limit");
    // Soft and hard; less than a page is no file, and 1 is what keeps a dump from a program that takes them.
    assert_eq!(core.split_whitespace().collect::<Vec<_>>(), ["1", "1", "bytes"]);
}

/// What it holds in memory when it is ended by a fault is written nowhere, whatever the shell that started it allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_leaves_no_core_dump() {
    let deployment = Deployment::new(Pair::Embedded).await.expect("always there");
    let here = deployment.folder().join("here");
    std::fs::create_dir(&here).expect("a folder");
    let shell = "ulimit -c unlimited; cd \"$0\" && exec \"$@\"";
    let by = ["sh", "-c", shell, &here.display().to_string()].map(str::to_owned);
    let mut server = deployment.spawn_through(&by, "node");
    assert!(server.serves().await, "{}", server.said());
    let authority = Client::new(server.url.clone(), Some(deployment.authority()));
    let others = Others::beside(&authority).await;
    others.are_served().await;
    server.signal("-ABRT");
    assert!(!server.dumps_core().await, "its memory was written out");
    let left: Vec<_> = std::fs::read_dir(&here).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
    // What it had acknowledged is there, and others are served by the next.
    let server = deployment.start("node", None).await;
    others.at(&server.url).are_served().await;
    server.kill().await;
    reconcile(&deployment, "node");
    deployment.done().await;
}

fn people() -> Value {
    json!({
        "class": "3070220602", "title": "人员", "provider": "meteorology", "kind": "table",
        "share_type": "unconditional", "share_scope": "应急部门", "update_cycle": "daily", "key": ["id"],
        "items": [
            { "name": "id", "title": "身份证号", "type": "C", "length": 18, "mask": "citizen_id" },
            { "name": "name", "title": "姓名", "type": "C", "length": 5, "nullable": true, "mask": "name" },
            { "name": "mobile", "title": "手机", "type": "C", "length": 11, "nullable": true, "mask": "mobile" },
            { "name": "born", "title": "出生日期", "type": "D", "nullable": true },
            { "name": "score", "title": "分", "type": "I", "length": 3, "nullable": true },
        ],
    })
}

/// Everything that can be refused with a record in hand; answers what was said.
async fn provoke(scene: &Scene) -> Vec<String> {
    let [id, mobile, name, card, mail] = PLANTED;
    let owner = &scene.world.provider.integrator;
    let mut said = Vec::new();
    let good = json!({ "id": id, "name": name, "mobile": mobile });
    scene.publish(&[good]).await.expect(200);
    let bodies = [
        ("application/x-ndjson", json!({ "id": id, "name": { "name": name } }).to_string()),
        ("application/x-ndjson", json!({ "id": id, "name": format!("{name}{name}{name}") }).to_string()),
        ("application/x-ndjson", json!({ "id": id, "born": mobile }).to_string()),
        ("application/x-ndjson", json!({ "id": id, "score": card }).to_string()),
        ("application/x-ndjson", json!({ "id": id, card: mail }).to_string()),
        ("application/x-ndjson", json!({ "id": id, mail: 1, name: 2 }).to_string()),
        ("application/x-ndjson", json!({ "$op": name, "id": id }).to_string()),
        ("application/x-ndjson", format!("{{\"id\":\"{id}\",\"name\":\"{name}")),
        ("application/x-ndjson", format!("\"{name}\"\n[\"{mobile}\"]\n{mobile}\n{name}\n")),
        ("application/json", format!("[{{\"id\":\"{id}\",\"score\":\"{mobile}\"}}, {name}]")),
        ("application/json", format!("{{\"id\":\"{id}\"}}")),
        ("text/csv", format!("id,name,{card}\n{id},{name},1\n")),
        ("text/csv", format!("id,name\n{id},{name},{mobile}\n")),
        ("text/csv", format!("id,name\n{id},\"{name}\n")),
        ("text/csv", format!("id,born\n{id},{mobile}\n")),
        ("text/plain", format!("{name} {mobile}")),
    ];
    for (kind, body) in bodies {
        for query in ["", "?on_invalid=quarantine"] {
            let request = owner.request("post", &format!("{}{query}", scene.records()));
            let request = request.header("content-type", kind).header("x-forwarded-for", "203.0.113.9");
            let reply = Reply::of(request.body(body.clone())).await;
            if reply.status != 200 {
                said.push(reply.text);
            }
        }
    }
    // Set aside: shown to its owner alone, with a reason that does not repeat it.
    let list = owner.get(&format!("/api/v1/quarantine?resource={}", scene.code)).await;
    let items = list.expect(200)["items"].as_array().expect("items").clone();
    assert!(items.len() >= 5, "{items:?}");
    said.push(list.text);
    let replay = format!("/api/v1/quarantine/{}/replay", items[0]["id"].as_str().expect("an id"));
    said.push(owner.post(&replay, json!({})).await.text);

    // Where a value is written in the wrong place altogether.
    for (method, path) in [
        ("get", format!("/api/v1/resources?q={mobile}&nonsense=1")),
        ("get", format!("/api/v1/{mobile}")),
        ("get", format!("/api/v1/grants/{mobile}")),
        ("get", format!("/api/v1/quarantine/{mobile}")),
        ("delete", format!("/api/v1/agencies/{mobile}")),
    ] {
        // The caller's own words may come back to it; they stay out of logs and metrics.
        let _ = Reply::of(owner.request(method, &path)).await;
    }
    let wrong = owner.request("post", &scene.records()).header("idempotency-key", format!("{mobile} {id}"));
    said.push(Reply::of(wrong.header("content-type", "text/csv").body("id\n1\n")).await.text);
    said.push(owner.with_key(&format!("{}x", owner.key())).get("/api/v1/whoami").await.text);

    // Delivered masked; a purpose, a cursor and a filter that are none.
    let grant = scene.granted(&["name", "mobile"], None).await;
    let subscription = scene.world.subscribe(&grant, "copy").await;
    let records = format!("/api/v1/subscriptions/{subscription}/records");
    let reader = &scene.world.consumer.integrator;
    let fault = reader.get(&records).await;
    assert_eq!(fault.status, 500);
    said.push(fault.text);
    said.push(reader.get(&records).await.text);
    let purpose = reader.request("get", &records).header("changtong-purpose", mobile);
    said.push(Reply::of(purpose).await.text);
    said.push(reader.get(&format!("{records}?cursor={mobile}")).await.text);
    let filter = scene.request(&["name"], Some(&format!("name == \"{name}\"")));
    said.push(scene.world.consumer.editor.post("/api/v1/requests", filter).await.text);
    said
}

/// Files of connectors with records and passwords in them that cannot be used.
async fn connectors(scene: &Scene, deployment: &Deployment) -> Vec<String> {
    let [id, mobile, name, ..] = PLANTED;
    let shown = scene.world.authority.get("/api/v1/agencies/meteorology").await.expect(200);
    let folder = deployment.folder().join("node/files").join(shown["code"].as_str().expect("a code"));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("bad.csv"), format!("id,name,born\n{id},{name},{mobile}\n")).expect("a file");
    let owner = &scene.world.provider.integrator;
    let source = json!({ "name": "bad", "resource": scene.code,
        "source": { "file": { "path": "bad.csv", "format": "csv", "mode": "append" } } });
    owner.post("/api/v1/connectors", source).await.expect(201);
    let mut said = vec![failed(owner, "bad").await];

    let grant = scene.granted(&["name"], None).await;
    let reader = &scene.world.consumer.integrator;
    let url = deployment.database().map_or("postgres://nobody@127.0.0.1:1/none".to_owned(), str::to_owned);
    let sink = |name: &str, url: String, password: Value| json!({ "name": name, "grant": grant, "sink": { "sql": { "url": url, "table": "people", "password": password } } });
    // Written where only a name belongs, it is refused before anything keeps it.
    let inside = url.replacen('@', &format!(":{PASSWORD}@"), 1);
    for file in [sink("a", url.clone(), json!(PASSWORD)), sink("b", inside, Value::Null)] {
        let reply = reader.post("/api/v1/connectors", file).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        said.push(reply.text);
    }
    let shown = scene.world.authority.get("/api/v1/agencies/emergency").await.expect(200);
    let secrets = deployment.folder().join("node/secrets").join(shown["code"].as_str().expect("a code"));
    std::fs::create_dir_all(&secrets).expect("a folder");
    std::fs::write(secrets.join("people"), format!("{PASSWORD}\n")).expect("a secret");
    reader.post("/api/v1/connectors", sink("people", url, json!("file:people"))).await.expect(201);
    said.push(told(reader, "people").await);
    said
}

/// What a connector says once it has failed.
async fn failed(caller: &Client, name: &str) -> String {
    loop {
        let reply = caller.get(&format!("/api/v1/connectors/{name}")).await;
        if !reply.expect(200)["status"]["details"]["last_error"].is_null() {
            return reply.text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// What a connector says once it has said anything.
async fn told(caller: &Client, name: &str) -> String {
    loop {
        let reply = caller.get(&format!("/api/v1/connectors/{name}")).await;
        if reply.expect(200)["status"]["details"].is_object() {
            return reply.text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
