//! Case 25: many keys of one agency, one key that takes all, and cheap calls that hide dear ones. The server's rates stand still here: what was
//! taken stays taken, so sums are exact, however fast or slow the machine is.

use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, metric, observation, refused};
use crate::faults::deployment::Deployment;
use crate::support::{Client, Pair, Reply, World, credit_code, resource_file};

const REQUESTS: usize = 200;
const RECORDS: usize = 1000;
const BYTES: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_of_one_agency_share_its_limits() {
    let Some(mut deployment) = Deployment::new(Pair::Embedded).await else { return };
    for (limit, value) in [("REQUESTS", REQUESTS), ("RECORDS", RECORDS), ("BYTES", BYTES)] {
        deployment.set(&format!("CHANGTONG_LIMITS__AGENCY_{limit}_PER_SECOND"), value.to_string());
    }
    let server = deployment.start("node", Some("rates.stand_still=on")).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    let callers = callers_of_one_agency(&scene.world.authority).await;
    scene.others().await.are_served().await;

    let mut served = 0;
    for caller in callers.iter().chain(&callers).chain(&callers[..50]) {
        let reply = caller.get("/api/v1/whoami").await;
        if reply.status == 200 {
            served += 1;
        } else {
            is_limited(&reply, "agency", "requests_per_second");
        }
    }
    assert_eq!(served, REQUESTS, "the sum over a hundred keys is the agency's");
    let words = in_chinese(&callers[0], "get", "/api/v1/whoami", None).await;
    assert!(words.contains("requests_per_second=200"), "{words}");

    dear_calls_weigh_what_they_move(&scene).await;
    let page = Client::new(server.operations(), None).get("/metrics").await.text;
    let times =
        [("requests_per_second", 251 - REQUESTS as u64), ("bytes_per_second", 1), ("records_per_second", 2)];
    for (limit, times) in times {
        let line = format!("changtong_rate_limited_total{{level=\"agency\",limit=\"{limit}\"}}");
        assert_eq!(metric(&page, &line), times, "{limit}");
    }
    server.kill().await;
    deployment.done().await;
}

const OF_A_KEY: [(&str, usize); 3] = [("REQUESTS", 120), ("RECORDS", 500), ("BYTES", 256 << 10)];

/// One key that does as much as it can leaves its account's other keys what is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_limits_of_its_own() {
    let Some(mut deployment) = Deployment::new(Pair::Embedded).await else { return };
    for (limit, value) in OF_A_KEY {
        deployment.set(&format!("CHANGTONG_LIMITS__KEY_{limit}_PER_SECOND"), value.to_string());
    }
    let server = deployment.start("node", Some("rates.stand_still=on")).await;
    let world = World::at(Client::new(server.url.clone(), Some(deployment.authority()))).await;
    let scene = Scene::at(world, resource_file("unconditional")).await;
    let keys = format!("/api/v1/accounts/{}/keys", scene.world.provider.integrator_account);
    let mut callers = Vec::new();
    for _ in 0..3 {
        let key = scene.world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
        callers.push(scene.world.authority.with_key(key["text"].as_str().expect("a key")));
    }
    let [asks, heavy, many] = &callers[..] else { panic!("three keys") };
    let other = &scene.world.provider.integrator;

    let [requests, records, bytes] = OF_A_KEY.map(|(_, value)| value);
    for _ in 0..requests {
        asks.get("/api/v1/whoami").await.expect(200);
    }
    is_limited(&asks.get("/api/v1/whoami").await, "key", "requests_per_second");
    in_chinese(asks, "get", "/api/v1/whoami", None).await;
    publish(&scene, heavy, &bodies("H", 10, bytes / 15)).await.expect(200);
    is_limited(&publish(&scene, heavy, &bodies("I", 10, bytes / 15)).await, "key", "bytes_per_second");
    publish(&scene, many, &bodies("M", records - 100, 0)).await.expect(200);
    let refusal = publish(&scene, many, &bodies("N", 101, 0)).await;
    let problem = is_limited(&refusal, "key", "records_per_second");
    assert_eq!((&problem["used"], &problem["left"]), (&json!(records - 100), &json!(100)));
    // The account's other keys have all that is theirs, and what was refused left nothing behind.
    publish(&scene, other, &bodies("O", 10, bytes / 15)).await.expect(200);
    publish(&scene, other, &bodies("P", records - 10, 0)).await.expect(200);
    assert_eq!(scene.own().await.len(), 10 + (records - 100) + records);
    for caller in [&scene.world.provider.editor, &scene.world.consumer.editor] {
        caller.get("/api/v1/resources").await.expect(200);
    }
    scene.others().await.are_served().await;
    server.kill().await;
    deployment.done().await;
}

/// Few records of many bytes, and many of few. Blanks count: they were read and judged.
fn bodies(stations: &str, count: usize, blanks: usize) -> String {
    let line = |n| format!("{}{}\n", observation(&format!("{stations}{n}"), 1), " ".repeat(blanks));
    (0..count).map(line).collect()
}

async fn publish(scene: &Scene, caller: &Client, body: &str) -> Reply {
    let request = caller.request("post", &scene.records()).header("content-type", "application/x-ndjson");
    Reply::of(request.body(body.to_owned())).await
}

#[track_caller]
fn is_limited(reply: &Reply, level: &str, limit: &str) -> Value {
    let problem = refused(reply, 429, "rate_limited");
    assert_eq!((&problem["level"], &problem["limit"]), (&json!(level), &json!(limit)));
    assert!(reply.headers.contains_key("retry-after"), "when to come back");
    problem
}

/// A hundred of them, of ten accounts.
async fn callers_of_one_agency(authority: &Client) -> Vec<Client> {
    let joining = json!({ "code": credit_code(9), "name": "多钥机构", "alias": "many" });
    authority.post("/api/v1/agencies", joining).await.expect(201);
    let mut callers = Vec::new();
    for account in 0..10 {
        let body = json!({ "name": format!("account-{account}"), "roles": ["editor"] });
        let made = authority.post("/api/v1/agencies/many/accounts", body).await.expect(201);
        let keys = format!("/api/v1/accounts/{}/keys", made["id"].as_str().expect("an id"));
        for _ in 0..10 {
            let key = authority.post(&keys, json!({ "roles": ["editor"] })).await.expect(201);
            callers.push(authority.with_key(key["text"].as_str().expect("a key")));
        }
    }
    callers
}

/// Two accounts of the provider: what one published the other no longer may, by bytes and by records.
async fn dear_calls_weigh_what_they_move(scene: &Scene) {
    let world = &scene.world;
    let account = json!({ "name": "second", "roles": ["integrator"] });
    let account = world.authority.post("/api/v1/agencies/meteorology/accounts", account).await.expect(201);
    let keys = format!("/api/v1/accounts/{}/keys", account["id"].as_str().expect("an id"));
    let key = world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let (one, other) =
        (&world.provider.integrator, world.authority.with_key(key["text"].as_str().expect("a key")));

    let heavy = bodies("H", 10, 60_000);
    assert!(heavy.len() * 2 > BYTES && heavy.len() < BYTES * 2 / 3);
    publish(scene, one, &heavy).await.expect(200);
    is_limited(&publish(scene, &other, &bodies("I", 10, 60_000)).await, "agency", "bytes_per_second");
    let many = bodies("M", 600, 0);
    publish(scene, &other, &many).await.expect(200);
    let refusal = publish(scene, one, &bodies("N", 600, 0)).await;
    let problem = is_limited(&refusal, "agency", "records_per_second");
    assert_eq!((&problem["used"], &problem["left"]), (&json!(610), &json!(390)));
    publish(scene, one, &bodies("O", 390, 0)).await.expect(200);
    is_limited(&publish(scene, &other, &bodies("P", 1, 0)).await, "agency", "records_per_second");
    assert_eq!(scene.own().await.len(), RECORDS, "nothing of what was refused");
    // Other agencies have their own.
    world.consumer.editor.get("/api/v1/resources").await.expect(200);
    world.stranger.editor.get("/api/v1/resources").await.expect(200);
    scene.others().await.are_served().await;
}
