//! Cases 14 and 25: guessing keys, and having keys without end.

use serde_json::{Value, json};

use super::scene::{Scene, in_chinese, metric, observation, refused};
use crate::support::{Pair, Reply, TestApp};

/// What an answer tells: everything but what differs from call to call.
fn told(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let mut problem = reply.json();
    problem["instance"] = Value::Null;
    let changing = ["x-request-id", "date", "retry-after"];
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
    refused(&app.client(&wrong[0]).get(path).await, 401, "unauthenticated");
    let zh = in_chinese(&app.client(&wrong[0]), "get", path, None).await;
    assert!(zh.contains("没有有效的凭证"), "{zh}");
    for key in &wrong {
        let reply = app.client(key).publish(&scene.code, &[observation("JFK", 1)]).await;
        refused(&reply, 401, "unauthenticated");
    }
    assert!(scene.own().await.is_empty(), "nothing came of any of them");
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
async fn guesses_are_limited_and_the_right_key_is_let_in() {
    const OF_KEY: u64 = 5;
    const OF_ADDRESS: u64 = 12;
    let settings = [
        ("CHANGTONG_HTTP__REFUSED_WITHIN", "1h"),
        ("CHANGTONG_HTTP__REFUSED_PER_KEY", "5"),
        ("CHANGTONG_HTTP__REFUSED_PER_ADDRESS", "12"),
    ];
    let app = TestApp::start(Pair::Embedded, &settings).await.expect("the embedded engines are always there");
    let scene = Scene::of(&app).await;
    let path = "/api/v1/whoami";
    let right = &scene.world.provider.integrator;
    let [_, id, secret, _] = right.key().split('_').collect::<Vec<_>>()[..] else { panic!("four parts") };
    let flipped: String = secret.chars().rev().collect();
    let wrong = app.client(&with_checksum(&format!("ctk_{id}_{flipped}")));

    // So many guesses at one key; further ones are told to wait, wherever they come from.
    for _ in 0..OF_KEY {
        refused(&wrong.get(path).await, 401, "unauthenticated");
    }
    for address in ["127.0.0.1", "127.0.0.2"] {
        let reply = wrong.at(address).get(path).await;
        let problem = refused(&reply, 429, "rate_limited");
        assert_eq!((&problem["limit"], &problem["value"]), (&json!("http.refused_per_key"), &json!(OF_KEY)));
        assert!(problem["detail"].as_str().expect("a text").contains("with this key id"), "{problem}");
        assert!(reply.headers.contains_key("retry-after"), "when to come back");
        right.at(address).get(path).await.expect(200);
    }

    // So many wrong keys from one address, of whatever kind; then all kinds are told the same.
    for number in OF_KEY + 1..OF_ADDRESS {
        refused(&app.client(&format!("ctk_{number}")).get(path).await, 401, "unauthenticated");
    }
    let unknown = app.client(&with_checksum(&format!("ctk_zzzzzzzz_{secret}")));
    let expected = told(&wrong.get(path).await);
    assert_eq!((expected.0, &expected.1["limit"]), (429, &json!("http.refused_per_address")));
    for guess in [&unknown, &app.client("ctk_x"), &app.client(&right.key()[1..])] {
        assert_eq!(told(&guess.get(path).await), expected);
    }
    let zh = in_chinese(&wrong, "get", path, None).await;
    assert!(zh.contains("本地址近来被拒的凭证已达上限 12"), "{zh}");
    assert_eq!(app.registrant("ctk_x").get("/subjects").await.status, 429, "one count for both surfaces");

    // Nobody is locked out: not the right key, not one that this server sees for the first time, not another address.
    right.get(path).await.expect(200);
    let keys = format!("/api/v1/accounts/{}/keys", scene.world.provider.integrator_account);
    let fresh = right.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
    app.client(fresh["text"].as_str().expect("a key")).get(path).await.expect(200);
    refused(&unknown.at("127.0.0.3").get(path).await, 401, "unauthenticated");
    scene.others_are_served().await;
    let page = app.operator().get("/metrics").await.text;
    assert_eq!(metric(&page, "changtong_http_guesses_limited_total{by=\"key\"}"), 2);
    assert_eq!(metric(&page, "changtong_http_guesses_limited_total{by=\"address\"}"), 6);
    app.stop().await;
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
    let roles = Some(json!({ "roles": ["integrator"] }));
    in_chinese(&scene.world.provider.integrator, "post", &keys, roles).await;
    let issued = scene.world.authority.get(&keys).await.expect(200);
    assert_eq!(issued["items"].as_array().expect("keys").len(), made.len() + 1, "no more were made");
    let revoke = format!("/api/v1/keys/{}/revoke", made[0]);
    scene.world.provider.integrator.post(&revoke, json!({ "cause": "security" })).await.expect(200);
    issue().await.expect(201);
    assert_eq!(issue().await.status, 409);
    scene.publish(&[observation("JFK", 1)]).await.expect(200);
    scene.others_are_served().await;
    app.stop().await;
}
