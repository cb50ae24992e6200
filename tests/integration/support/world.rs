//! A small country: a provider and a consumer with an account for each role, a third agency, an operator, an auditor.

use changtong_catalog::codes::Uscc;
use serde_json::{Value, json};

use super::{Client, Reply, TestApp};

/// The entry that most tests use, as it stands in a path.
pub const RESOURCE: &str = "3070220602-000001";

/// An agency and one caller for each role.
pub struct Agency {
    pub editor: Client,
    pub reviewer: Client,
    pub integrator: Client,
    pub integrator_account: String,
    pub integrator_key: String,
}

pub struct World {
    pub authority: Client,
    pub provider: Agency,
    pub consumer: Agency,
    /// Has nothing to do with the others.
    pub stranger: Agency,
    pub operator: Client,
    pub auditor: Client,
}

impl World {
    pub async fn of(app: &TestApp) -> Self {
        Self::at(app.client(&app.authority)).await
    }

    /// Of whichever server the authority calls.
    pub async fn at(authority: Client) -> Self {
        let provider = agency(&authority, "meteorology", 1).await;
        let consumer = agency(&authority, "emergency", 2).await;
        let stranger = agency(&authority, "forestry", 3).await;
        // Suspended and resumed by whoever tests that.
        let spare = json!({ "code": credit_code(4), "name": "测试机构4", "alias": "aquaculture" });
        authority.post("/api/v1/agencies", spare).await.expect(201);
        let (operator, ..) = account(&authority, "authority", "operator").await;
        let (auditor, ..) = account(&authority, "authority", "auditor").await;
        Self { authority, provider, consumer, stranger, operator, auditor }
    }

    /// Drafts, submits, approves and publishes an entry of the provider; answers its code in a path.
    pub async fn entry(&self, file: Value) -> String {
        let drafted = self.provider.editor.post("/api/v1/resources", file).await.expect(201);
        let code = drafted["code"].as_str().expect("a code").replace('/', "-");
        let path = |step: &str| format!("/api/v1/resources/{code}/{step}");
        self.provider.editor.post(&path("submit"), json!({})).await.expect(200);
        self.provider.reviewer.post(&path("approve"), json!({})).await.expect(200);
        self.provider.reviewer.post(&path("publish"), json!({})).await.expect(200);
        code
    }

    /// The provider's editor proposes a file for a published entry, as it is now.
    pub async fn propose(&self, code: &str, file: Value) -> Reply {
        let path = format!("/api/v1/resources/{code}");
        let etag = self.provider.editor.get(&path).await.headers["etag"].clone();
        Reply::of(self.provider.editor.request("put", &path).header("if-match", etag).json(&file)).await
    }

    /// Its reviewer puts in force what waits now.
    pub async fn revise(&self, code: &str) -> Reply {
        let path = format!("/api/v1/resources/{code}");
        let etag = self.provider.reviewer.get(&path).await.headers["etag"].clone();
        let request = self.provider.reviewer.request("post", &format!("{path}/revise"));
        Reply::of(request.header("if-match", etag)).await
    }

    /// The consumer writes and submits a request; answers its id and state.
    pub async fn request(&self, file: Value) -> (String, Value) {
        self.consumer.request(file).await
    }

    /// The consumer subscribes from the start; answers the subscription's id.
    pub async fn subscribe(&self, grant: &str, name: &str) -> String {
        self.consumer.subscribe(grant, name).await
    }
}

impl Agency {
    /// It writes and submits a request; answers its id and state.
    pub async fn request(&self, file: Value) -> (String, Value) {
        let written = self.editor.post("/api/v1/requests", file).await.expect(201);
        let id = written["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/requests/{id}/submit");
        (id, self.reviewer.post(&path, json!({})).await.expect(200))
    }

    /// It subscribes from the start; answers the subscription's id.
    pub async fn subscribe(&self, grant: &str, name: &str) -> String {
        let path = format!("/api/v1/grants/{grant}/subscriptions");
        let made = self.integrator.post(&path, json!({ "name": name, "from": "start" })).await;
        made.expect(201)["id"].as_str().expect("an id").to_owned()
    }
}

/// An unconditional table that the consumer reads whole.
pub struct Shared {
    pub world: World,
    pub code: String,
    pub grant: String,
    pub subscription: String,
}

impl Shared {
    /// With these members in the request, such as `limits`.
    pub async fn of(app: &TestApp, terms: Value) -> Self {
        let world = World::of(app).await;
        let code = world.entry(resource_file("unconditional")).await;
        let mut file = request_file(&code, &["station", "hour", "temp"], None);
        if let (Some(file), Value::Object(terms)) = (file.as_object_mut(), terms) {
            file.extend(terms);
        }
        let (_, request) = world.request(file).await;
        let grant = request["grant"].as_str().unwrap_or_else(|| panic!("no grant: {request}")).to_owned();
        let subscription = world.subscribe(&grant, "copy").await;
        Self { world, code, grant, subscription }
    }

    /// Where its records are read.
    pub fn records(&self) -> String {
        format!("/api/v1/subscriptions/{}/records", self.subscription)
    }

    /// Publishes one row for each number.
    pub async fn publish(&self, rows: std::ops::Range<usize>) {
        let lines: Vec<Value> = rows.map(Self::line).collect();
        for some in lines.chunks(5000) {
            self.world.provider.integrator.publish(&self.code, some).await.expect(200);
        }
    }

    /// The row of a number.
    pub fn line(n: usize) -> Value {
        json!({ "station": format!("S{}", n / 100), "hour": n % 100, "temp": "12.5" })
    }

    /// How many records their owner sees.
    pub async fn visible(&self) -> usize {
        let (mut seen, mut cursor) = (0, String::new());
        loop {
            let path = format!("/api/v1/resources/{}/records?limit=10000{cursor}", self.code);
            let lines = self.world.provider.integrator.get(&path).await.lines();
            let (last, records) = lines.split_last().expect("a last line");
            if records.is_empty() {
                return seen;
            }
            seen += records.len();
            cursor = format!("&cursor={}", last["next"].as_str().expect("a cursor"));
        }
    }

    /// The number of a row from a delivered line.
    pub fn row(line: &Value) -> usize {
        let record = &line["record"];
        let station = record["station"].as_str().and_then(|station| station.strip_prefix('S'));
        let station: usize = station.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        station * 100 + usize::try_from(number(record, "hour")).expect("a row")
    }

    pub async fn acknowledge(&self, end: &Value) -> Reply {
        let path = format!("/api/v1/subscriptions/{}/acks", self.subscription);
        let ack = json!({ "next": end["next"], "window": end["window"], "digest": end["digest"] });
        self.world.consumer.integrator.post(&path, ack).await
    }

    pub async fn revoke(&self) -> Value {
        let path = format!("/api/v1/grants/{}/revoke", self.grant);
        let cause = json!({ "cause": "purpose_done", "filing": "备案1号" });
        self.world.provider.reviewer.post(&path, cause).await.expect(200)["last_left"].clone()
    }
}

/// A whole number below the root of a document.
pub fn number(value: &Value, member: &str) -> i64 {
    value[member].as_i64().unwrap_or_else(|| panic!("{member} in {value}"))
}

/// A table of three items, keyed by the first two.
pub fn resource_file(share_type: &str) -> Value {
    json!({
        "class": "3070220602",
        "title": "机场气象观测",
        "provider": "meteorology",
        "kind": "table",
        "share_type": share_type,
        "share_condition": (share_type == "conditional").then_some("用于应急"),
        "share_scope": "应急部门",
        "update_cycle": "hourly",
        "key": ["station", "hour"],
        "items": [
            { "name": "station", "title": "观测站", "type": "C", "length": 8 },
            { "name": "hour", "title": "时", "type": "I", "length": 2 },
            { "name": "temp", "title": "气温", "type": "N", "precision": 5, "scale": 1, "nullable": true },
            { "name": "observer", "title": "观测员", "type": "C", "length": 40, "nullable": true, "mask": "name" },
        ],
    })
}

/// A request of the consumer for items of an entry.
pub fn request_file(code: &str, items: &[&str], filter: Option<&str>) -> Value {
    json!({
        "resource": code,
        "consumer": "emergency",
        "purposes": [{ "code": "storm", "text": "暴雨应急" }],
        "basis": "突发事件应对职责",
        "consented_by": { "office": "应急局办公室", "document": "应急函〔2026〕1号" },
        "history": "all",
        "items": items,
        "filter": filter,
        "valid_until": "2090-12-31",
    })
}

async fn agency(authority: &Client, alias: &'static str, number: u8) -> Agency {
    let body = json!({ "code": credit_code(number), "name": format!("测试机构{number}"), "alias": alias });
    authority.post("/api/v1/agencies", body).await.expect(201);
    let (editor, ..) = account(authority, alias, "editor").await;
    let (reviewer, ..) = account(authority, alias, "reviewer").await;
    let (integrator, integrator_account, integrator_key) = account(authority, alias, "integrator").await;
    Agency { editor, reviewer, integrator, integrator_account, integrator_key }
}

/// An account of one role and its key: the caller, the account's id, the key's id.
async fn account(authority: &Client, agency: &str, role: &str) -> (Client, String, String) {
    let path = format!("/api/v1/agencies/{agency}/accounts");
    let made = authority.post(&path, json!({ "name": role, "roles": [role] })).await.expect(201);
    let account = made["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/accounts/{account}/keys");
    let key = authority.post(&path, json!({ "roles": [role] })).await.expect(201);
    let text = key["text"].as_str().expect("the text of the key");
    (authority.with_key(text), account, key["id"].as_str().expect("an id").to_owned())
}

/// A credit code with right check characters: those that fit are found by trying.
pub fn credit_code(number: u8) -> String {
    const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("1133000000000{number:03}");
    let ends = SIGNS.chars().flat_map(|a| SIGNS.chars().map(move |b| (a, b)));
    let codes = ends.map(|(a, b)| format!("{body}{a}{b}"));
    codes.into_iter().find(|code| code.parse::<Uscc>().is_ok()).expect("check characters that fit")
}
