//! A published table, and what its owner does with it.

use std::collections::BTreeMap;
use std::time::Duration;

use changtong::client::{CallError, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::deployment::Process;

/// A published table and its owner's key.
pub struct Table {
    key: String,
    code: String,
    /// Who calls for the owner, and which server. A client takes longer to make than a call does.
    caller: Mutex<Option<Client>>,
    http: reqwest::Client,
}

impl Table {
    pub fn new(key: String, code: String) -> Self {
        Self { key, code, caller: Mutex::default(), http: reqwest::Client::new() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// As it stands in a path.
    pub fn code(&self) -> &str {
        &self.code
    }

    fn owner(&self, server: &Process) -> Client {
        let mut caller = self.caller.lock();
        if let Some(known) = caller.as_ref().filter(|known| known.url() == server.url) {
            return known.clone();
        }
        caller.insert(Client::new(&server.url, &self.key, "en").expect("a client")).clone()
    }

    /// What needs no engine of records goes on.
    pub async fn catalog_is_served(&self, server: &Process) {
        let shown = self.owner(server).get(&format!("/resources/{}", self.code)).await.expect("the entry");
        assert_eq!(shown["state"], "published");
    }

    /// A change of the catalog is refused with that code, and says when to come back.
    pub async fn changes_are_refused(&self, server: &Process, code: &str) {
        let owner = self.owner(server).with_patience(Duration::ZERO);
        let refusal =
            owner.post(&format!("/resources/{}/suspend", self.code), &json!({ "cause": "security" })).await;
        let CallError::Refused(problem) = refusal.expect_err("nothing can be changed") else {
            panic!("an answer")
        };
        assert_eq!((problem.status, problem.code.as_str()), (503, code));
        assert!(problem.retry_after.is_some(), "when to come back");
    }

    /// Its owner revokes a grant on it.
    pub async fn revoke(&self, server: &Process, grant: &str) -> Value {
        let reason = json!({"cause": "misuse", "filing": "备案1号"});
        self.owner(server).post(&format!("/grants/{grant}/revoke"), &reason).await.expect("it ends").body
    }

    /// Publishes the ids under a key, as often as it takes.
    pub async fn publish(
        &self,
        server: &Process,
        key: &str,
        ids: std::ops::Range<u32>,
    ) -> Result<Value, CallError> {
        self.publish_within(server, key, ids, Duration::from_secs(60)).await
    }

    /// Publishes once: what a client sees whose server dies.
    pub async fn publish_once(
        &self,
        server: &Process,
        key: &str,
        ids: std::ops::Range<u32>,
    ) -> Result<Value, CallError> {
        self.publish_within(server, key, ids, Duration::ZERO).await
    }

    async fn publish_within(
        &self,
        server: &Process,
        key: &str,
        ids: std::ops::Range<u32>,
        patience: Duration,
    ) -> Result<Value, CallError> {
        let body: String = ids.map(|id| format!("{{\"id\":{id}}}\n")).collect();
        let client = self.owner(server).with_patience(patience);
        client.publish(&self.code, "application/x-ndjson", "reject", key, body.into()).await
    }

    /// The table's entry.
    pub async fn entry(&self, server: &Process) -> Value {
        self.owner(server).get(&format!("/resources/{}", self.code)).await.expect("the entry")
    }

    pub async fn new_generation(
        &self,
        server: &Process,
        partitions: Option<i32>,
    ) -> Result<Value, CallError> {
        self.move_within(server, partitions, Duration::from_secs(60)).await
    }

    /// Without leave to leave anything out: what it is refused with.
    pub async fn new_generation_as_it_is(&self, server: &Process) -> Result<Value, String> {
        let path = format!("/resources/{}/new-generation", self.code);
        let moved = self.owner(server).post(&path, &json!({})).await;
        moved.map(|moved| moved.body).map_err(|error| match error {
            CallError::Refused(problem) => format!("{} {}", problem.code, problem.detail),
            error => format!("{error:?}"),
        })
    }

    /// Once: what a client sees whose server dies.
    pub async fn new_generation_once(
        &self,
        server: &Process,
        partitions: Option<i32>,
    ) -> Result<Value, CallError> {
        self.move_within(server, partitions, Duration::ZERO).await
    }

    async fn move_within(
        &self,
        server: &Process,
        partitions: Option<i32>,
        patience: Duration,
    ) -> Result<Value, CallError> {
        let owner = self.owner(server).with_patience(patience);
        let path = format!("/resources/{}/new-generation", self.code);
        let body = |leave_out: i64| json!({ "partitions": partitions, "leave_out": leave_out });
        match owner.post(&path, &body(0)).await {
            // Nothing that lies in the log is left out unless told to.
            Err(CallError::Refused(problem)) if problem.code == "left_out" => {
                let left_out = problem.body["left_out"].as_i64().expect("how many");
                Ok(owner.post(&path, &body(left_out)).await?.body)
            }
            moved => Ok(moved?.body),
        }
    }

    /// The owner's own reading, or the code it is refused with.
    pub async fn own(&self, server: &Process) -> Result<String, String> {
        self.own_page(server, "").await
    }

    async fn own_page(&self, server: &Process, query: &str) -> Result<String, String> {
        let url = format!("{}/api/v1/resources/{}/records{query}", server.url, self.code);
        let answer = self.http.get(&url).bearer_auth(&self.key).send().await.expect("an answer");
        let (good, text) = (answer.status().is_success(), answer.text().await.expect("its text"));
        if good {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        Err(problem["code"].as_str().unwrap_or(&text).to_owned())
    }

    /// Every visible record, by id, with how often it is there.
    pub async fn visible(&self, server: &Process) -> BTreeMap<u64, usize> {
        self.all(server).await.expect("all of it")
    }

    /// The same, or the code that one of its pages is refused with.
    pub async fn all(&self, server: &Process) -> Result<BTreeMap<u64, usize>, String> {
        let mut seen = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let text = self.own_page(server, &format!("?limit=1000{cursor}")).await?;
            let mut lines: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
            let last = lines.pop().expect("a last line");
            if lines.is_empty() {
                return Ok(seen);
            }
            for line in lines {
                *seen.entry(line["record"]["id"].as_u64().expect("an id")).or_default() += 1;
            }
            cursor = format!("&cursor={}", last["next"].as_str().expect("a cursor"));
        }
    }
}
