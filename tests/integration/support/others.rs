//! Two agencies that have nothing to do with what a test does to others: one publishes, the other reads under a grant of
//! its own. What they are answered tells whether anybody else is hurt.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Client, Reply, credit_code};

/// Each may edit and integrate; another account of the same agency reviews.
struct Side {
    caller: Client,
    reviewer: Client,
}

pub struct Others {
    provider: Client,
    consumer: Client,
    code: String,
    subscription: String,
    /// How many records were published; one at a time, so that each is read alone.
    published: Mutex<i64>,
}

impl Others {
    /// Made by whoever may take agencies in.
    pub async fn beside(authority: &Client) -> Self {
        let provider = Side::of(authority, "archives", 101).await;
        let consumer = Side::of(authority, "library", 102).await;
        let code = provider.entry().await;
        let subscription = consumer.subscription(&code).await;
        let (provider, consumer) = (provider.caller, consumer.caller);
        Self { provider, consumer, code, subscription, published: Mutex::default() }
    }

    /// One publishes a record; the other finds the entry, reads exactly that record and acknowledges it. Each call is
    /// answered at once.
    pub async fn are_served(&self) {
        self.go_on(false).await;
    }

    /// The same where an engine was away until now, or windows are so short that the store may be slower: who is told to
    /// come back comes back, and waits behind what landed and never counted.
    pub async fn come_to_be_served(&self) {
        self.go_on(true).await;
    }

    async fn go_on(&self, again: bool) {
        let mut published = self.published.lock().await;
        *published += 1;
        let (record, key) = (json!({ "number": *published }), format!("others-{published}"));
        let publish = || {
            let path = format!("/api/v1/resources/{}/records", self.code);
            let request = self.provider.request("post", &path).header("idempotency-key", &key);
            request.header("content-type", "application/x-ndjson").body(record.to_string())
        };
        answered(again, publish).await.expect(200);
        self.find_the_catalog().await;
        let path = |of: &str| format!("/api/v1/subscriptions/{}/{of}", self.subscription);
        let records = path(if again { "records?wait=60s" } else { "records" });
        let lines = answered(again, || self.consumer.request("get", &records)).await.lines();
        let [line, end] = &lines[..] else { panic!("a record and the last line: {lines:?}") };
        assert_eq!(line["record"], record);
        let ack = json!({ "next": end["next"], "window": end["window"], "digest": end["digest"] });
        answered(again, || self.consumer.request("post", &path("acks")).json(&ack)).await.expect(204);
    }

    /// What needs no engine of records.
    pub async fn find_the_catalog(&self) {
        let found = self.consumer.get("/api/v1/resources?provider=archives").await.expect(200);
        let [entry] = &found["items"].as_array().expect("entries")[..] else { panic!("one entry: {found}") };
        assert_eq!(
            (text(&entry["code"]).replace('/', "-"), &entry["state"]),
            (self.code.clone(), &json!("published"))
        );
    }

    /// The same two at another server.
    pub fn at(self, url: &str) -> Self {
        Self { provider: self.provider.to(url), consumer: self.consumer.to(url), ..self }
    }

    /// For whoever counts what subscriptions do.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }
}

impl Side {
    async fn of(authority: &Client, alias: &str, number: u8) -> Self {
        let body =
            json!({ "code": credit_code(number), "name": format!("旁观机构{number}"), "alias": alias });
        let joined = authority.post("/api/v1/agencies", body).await.expect(201);
        let accounts = format!("/api/v1/agencies/{alias}/accounts");
        let reviewer = json!({ "name": "reviewer", "roles": ["reviewer"] });
        let reviewer = authority.post(&accounts, reviewer).await.expect(201);
        let keys = format!("/api/v1/accounts/{}/keys", text(&reviewer["id"]));
        let key = authority.post(&keys, json!({ "roles": ["reviewer"] })).await.expect(201);
        let caller = |key: &Value| authority.with_key(&text(&key["text"]));
        Self { caller: caller(&joined["key"]), reviewer: caller(&key) }
    }

    async fn entry(&self) -> String {
        let file = json!({
            "class": "307022", "title": "馆藏", "provider": "archives", "kind": "table",
            "share_type": "unconditional", "share_scope": "图书馆", "update_cycle": "daily", "key": ["number"],
            "items": [{ "name": "number", "title": "编号", "type": "I", "length": 9 }],
        });
        let drafted = self.caller.post("/api/v1/resources", file).await.expect(201);
        let code = text(&drafted["code"]).replace('/', "-");
        for (who, step) in
            [(&self.caller, "submit"), (&self.reviewer, "approve"), (&self.reviewer, "publish")]
        {
            who.post(&format!("/api/v1/resources/{code}/{step}"), json!({})).await.expect(200);
        }
        code
    }

    /// Under a grant on that entry, from its start.
    async fn subscription(&self, code: &str) -> String {
        let file = json!({
            "resource": code, "consumer": "library", "purposes": [{ "code": "lending", "text": "借阅" }],
            "basis": "公共图书馆职责", "history": "all", "items": ["number"],
            "consented_by": { "office": "图书馆办公室", "document": "图函〔2026〕1号" },
        });
        let written = self.caller.post("/api/v1/requests", file).await.expect(201);
        let submit = format!("/api/v1/requests/{}/submit", text(&written["id"]));
        let agreed = self.reviewer.post(&submit, json!({})).await.expect(200);
        let path = format!("/api/v1/grants/{}/subscriptions", text(&agreed["grant"]));
        text(&self.caller.post(&path, json!({ "name": "copy", "from": "start" })).await.expect(201)["id"])
    }
}

/// `again`: where it is told to come back.
async fn answered(again: bool, request: impl Fn() -> RequestBuilder) -> Reply {
    loop {
        let reply = Reply::of(request()).await;
        if reply.status != 503 || !again {
            return reply;
        }
        assert!(reply.headers.contains_key("retry-after"), "{}", reply.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
