//! Cases 14 and 25: guessing keys, and having many.

use serde_json::{Value, json};

use super::scene::{Scene, observation, refused};
use crate::support::{Client, Pair, Reply, TestApp, credit_code};

/// What an answer tells: everything but what differs from call to call.
fn told(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let mut problem = reply.json();
    problem["instance"] = Value::Null;
    let changing = ["x-request-id", "date"];
    let headers = reply.headers.iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()));
    (reply.status, problem, headers.collect())
}

/// The same key with a right checksum behind other words: `ctk_ID_SECRET`.
fn with_checksum(body: &str) -> String {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32(body.as_bytes());
    let mut check = [b'0'; 6];
    for digit in check.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    format!("{body}_{}", String::from_utf8_lossy(&check))
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_a_key_the_answer_is_the_same() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let right = scene.world.provider.integrator.key().to_owned();
    let [_, id, secret, check] = right.split('_').collect::<Vec<_>>()[..] else { panic!("four parts") };
    assert_eq!(with_checksum(&format!("ctk_{id}_{secret}")), right, "checksums are made right here");
    let flipped: String = secret.chars().rev().collect();
    let revoked = revoked(&app, &scene).await;
    let wrong = [
        with_checksum(&format!("ctk_{id}_{flipped}")),
        with_checksum(&format!("ctk_zzzzzzzz_{secret}")),
        format!("ctk_{id}_{secret}_{}", check.chars().rev().collect::<String>()),
        format!("ctk_{id}_{secret}"),
        format!("{right}x"),
        right.to_lowercase(),
        "x".to_owned(),
        revoked,
    ];
    let path = "/api/v1/whoami";
    let expected = told(&app.nobody().get(path).await);
    assert_eq!((expected.0, &expected.1["code"]), (401, &json!("unauthenticated")));
    for key in &wrong {
        assert_eq!(told(&app.client(key).get(path).await), expected, "{key}");
    }
    // On every route, with and without a body, of things that exist and that don't.
    for path in [scene.records(), "/api/v1/grants/01900000-0000-7000-8000-000000000000".to_owned()] {
        let expected = told(&app.nobody().get(&path).await);
        for key in &wrong {
            assert_eq!(told(&app.client(key).get(&path).await), expected, "{key} {path}");
        }
        assert_eq!(expected.0, 401);
    }
    let zh = super::scene::in_chinese(&app.client(&wrong[0]), "get", path, None).await;
    assert!(zh.contains("没有有效的凭证"), "{zh}");
    scene.others_are_served().await;
    app.stop().await;
}

async fn revoked(app: &TestApp, scene: &Scene) -> String {
    let keys = format!("/api/v1/accounts/{}/keys", scene.world.provider.integrator_account);
    let key = scene.world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    let revoke = format!("/api/v1/keys/{}/revoke", key["id"].as_str().expect("an id"));
    scene.world.authority.post(&revoke, json!({ "cause": "security" })).await.expect(200);
    let text = key["text"].as_str().expect("a key").to_owned();
    assert_eq!(app.client(&text).get("/api/v1/whoami").await.status, 401);
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_of_one_agency_share_its_limits() {
    const RATE: usize = 40;
    let settings = [("CHANGTONG_LIMITS__AGENCY_REQUESTS_PER_SECOND", "40")];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let authority = app.client(&app.authority);
    let joining = json!({ "code": credit_code(9), "name": "多钥机构", "alias": "many" });
    let made = patient(async || authority.post("/api/v1/agencies", joining.clone()).await).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut callers: Vec<Client> = Vec::new();
    for account in 0..10 {
        let body = json!({ "name": format!("account-{account}"), "roles": ["editor"] });
        let made =
            patient(async || authority.post("/api/v1/agencies/many/accounts", body.clone()).await).await;
        let keys = format!("/api/v1/accounts/{}/keys", made.expect(201)["id"].as_str().expect("an id"));
        for _ in 0..10 {
            let body = json!({ "roles": ["editor"] });
            let key = patient(async || authority.post(&keys, body.clone()).await).await.expect(201);
            callers.push(app.client(key["text"].as_str().expect("a key")));
        }
    }
    assert_eq!(callers.len(), 100);
    let clock = std::time::Instant::now();
    let (mut served, mut refusals) = (0, 0);
    for round in 0..4 {
        for caller in &callers {
            let reply = caller.get("/api/v1/whoami").await;
            if reply.status == 200 {
                served += 1;
            } else {
                let problem = refused(&reply, 429, "rate_limited");
                assert_eq!(problem["level"], "agency", "round {round}: {problem}");
                assert!(reply.headers.contains_key("retry-after"));
                refusals += 1;
            }
        }
    }
    // Its rate over the time that passed, and one window.
    let most = RATE + (clock.elapsed().as_secs_f64() * RATE as f64).ceil() as usize;
    assert!(served <= most, "{served} of 400 calls were served, at most {most}");
    assert!(refusals > 0 || most >= 400, "nothing was refused");
    authority.get("/api/v1/agencies").await;
    app.stop().await;
}

/// Until its own rate lets it.
async fn patient(call: impl AsyncFn() -> Reply) -> Reply {
    loop {
        let reply = call().await;
        if reply.status != 429 {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_so_many_keys_and_no_more() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let keys = format!("/api/v1/accounts/{}/keys", scene.world.provider.integrator_account);
    let issue =
        async || scene.world.provider.integrator.post(&keys, json!({ "roles": ["integrator"] })).await;
    let mut made = Vec::new();
    let refusal = loop {
        let reply = issue().await;
        if reply.status != 201 {
            break reply;
        }
        made.push(reply.json()["id"].as_str().expect("an id").to_owned());
        assert!(made.len() < 1000, "keys without end");
    };
    let problem = refused(&refusal, 409, "invalid_state");
    assert_eq!(problem["limit"], made.len() + 1, "the first key counts too");
    let revoke = format!("/api/v1/keys/{}/revoke", made[0]);
    scene.world.provider.integrator.post(&revoke, json!({ "cause": "security" })).await.expect(200);
    issue().await.expect(201);
    assert_eq!(issue().await.status, 409);
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    scene.others_are_served().await;
    app.stop().await;
}
