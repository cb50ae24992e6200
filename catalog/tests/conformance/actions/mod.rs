//! The actions, each with its rule, its row and its event, on both engines.

mod connectors;
mod grants;
mod idempotency;
mod participants;
mod races;
mod requests;
mod resources;
mod revisions;
mod schemas;

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::actions::{self, Act, Member, NewAgency, Rules};
use changtong_catalog::agency::AgencyNames;
use changtong_catalog::clock::SeededIds;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{KeyId, RequestId, ResourceCode};
use changtong_catalog::ports::Claim;
use changtong_catalog::request::{Request, RequestFile};
use changtong_catalog::resource::{Resource, ResourceFile, ShareType};
use changtong_catalog::store::{EventFilter, NewKey, Store};

use super::fixture::at;

/// Everything an action is given beside its input, and who plays.
pub struct Stage<'a> {
    pub store: &'a Store,
    pub ids: SeededIds,
    pub rules: Rules,
    pub authority: Caller,
}

/// Two of its accounts write and put in force.
pub struct Office {
    pub member: Member,
    /// Wrote it.
    pub editor: Caller,
    /// Puts it in force.
    pub head: Caller,
    pub integrator: Caller,
}

impl<'a> Stage<'a> {
    pub async fn set(store: &'a Store) -> Self {
        let ids = SeededIds::new(7);
        let first = actions::bootstrap(store, at(0), &ids, &key("auth0001"), at(1_000_000)).await;
        let first = first.unwrap().unwrap();
        let authority = caller(&first, &first.key.id, &[Role::Authority]);
        let zone = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
        let rules = Rules {
            four_eyes: true,
            zone,
            handle_key: "h1".to_owned(),
            pseudonym_key: "p1".to_owned(),
            topic_prefix: String::new(),
            subscriptions: 3,
        };
        Self { store, ids, rules, authority }
    }

    pub fn act<'b>(&'b self, caller: &'b Caller, seconds: i64) -> Act<'b> {
        Act { caller, now: at(seconds), ids: &self.ids, rules: &self.rules, claim: None }
    }

    pub fn claimed<'b>(&'b self, caller: &'b Caller, seconds: i64, claim: &'b Claim) -> Act<'b> {
        Act { claim: Some(claim), ..self.act(caller, seconds) }
    }

    /// An agency with its first account and a second one, its head.
    pub async fn office(&self, code: &str, alias: &str) -> Office {
        let new = NewAgency {
            names: names(code, alias),
            account: "first".to_owned(),
            key: key(&format!("{alias:0<8}")),
            key_expires_at: at(1_000_000),
        };
        let act = self.act(&self.authority, 1);
        let member = actions::add_agency(self.store, &act, new).await.unwrap().object;
        let roles = [Role::Reviewer].into_iter().collect();
        let head = actions::add_account(self.store, &act, member.agency.id, "head", roles).await.unwrap();
        let editor = caller(&member, &member.key.id, &[Role::Editor, Role::Reviewer]);
        let head = Caller { account: head.object.id, roles, ..editor.clone() };
        let integrator = caller(&member, &member.key.id, &[Role::Integrator]);
        Office { member, editor, head, integrator }
    }

    pub async fn provider(&self) -> Office {
        self.office("91999999FAKE00013K", "transport").await
    }

    pub async fn consumer(&self) -> Office {
        self.office("11999999FAKE00021N", "emergency").await
    }

    /// An entry brought up to publication.
    pub async fn published(&self, office: &Office, share_type: ShareType) -> Resource {
        let editor = self.act(&office.editor, 10);
        let head = self.act(&office.head, 11);
        let drafted = actions::draft_resource(self.store, &editor, file(share_type)).await.unwrap().object;
        let code = &drafted.code;
        actions::submit_resource(self.store, &editor, code, None).await.unwrap();
        actions::approve_resource(self.store, &head, code, None).await.unwrap();
        actions::publish_resource(self.store, &head, code, None).await.unwrap().object
    }

    /// A file that the office's editor proposes and its head puts in force.
    pub async fn revised(
        &self,
        office: &Office,
        entry: &Resource,
        file: ResourceFile,
        seconds: i64,
    ) -> Result<Resource, Refusal> {
        let editor = self.act(&office.editor, seconds);
        let version = Some(entry.version);
        let proposed =
            actions::update_resource(self.store, &editor, &entry.code, version, file).await?.object;
        let head = self.act(&office.head, seconds);
        let version = Some(proposed.version);
        actions::revise_resource(self.store, &head, &entry.code, version, None).await.map(|done| done.object)
    }

    /// A request that its head submitted.
    pub async fn submitted(&self, office: &Office, resource: &Resource) -> Request {
        let written = self.written(office, resource).await;
        let act = self.act(&office.head, 21);
        actions::submit_request(self.store, &act, written, None).await.unwrap().object
    }

    pub async fn written(&self, office: &Office, resource: &Resource) -> RequestId {
        let act = self.act(&office.editor, 20);
        let asked = request_file(&resource.code);
        actions::write_request(self.store, &act, asked).await.unwrap().object.id
    }

    /// Codes of the events so far, in their order, from `from` seconds on.
    pub async fn events_from(&self, from: i64) -> Vec<String> {
        let filter = EventFilter { from: Some(at(from)), ..EventFilter::default() };
        let mut session = self.store.read().await.unwrap();
        let mut events = session.events(&filter, None, 100).await.unwrap();
        events.sort_by_key(|event| event.at);
        events.into_iter().map(|event| event.code).collect()
    }
}

pub fn caller(member: &Member, key: &KeyId, roles: &[Role]) -> Caller {
    Caller {
        agency: member.agency.id,
        account: member.account.id,
        key: key.clone(),
        roles: roles.iter().copied().collect(),
    }
}

pub fn key(id: &str) -> NewKey {
    NewKey { id: KeyId(id.chars().take(8).collect()), mac: vec![1; 32], pepper: "p1".to_owned() }
}

pub fn names(code: &str, alias: &str) -> AgencyNames {
    AgencyNames {
        code: Some(code.to_owned()),
        name: format!("机构 {alias}"),
        alias: Some(alias.parse().unwrap()),
    }
}

const FILE: &str = r#"
class = "3070220601"
title = "航班运行信息"
provider = "transport"
kind = "table"
share_type = "conditional"
share_condition = "用于航班延误分析"
share_scope = "交通、气象、应急部门"
update_cycle = "daily"
key = ["carrier"]
[[items]]
name = "carrier"
title = "航空公司"
type = "C"
length = 2
[[items]]
name = "dep_delay"
title = "起飞延误(分钟)"
type = "I"
nullable = true
[[items]]
name = "pilot"
title = "机长"
type = "C"
length = 20
nullable = true
mask = "name"
"#;

pub fn file(share_type: ShareType) -> ResourceFile {
    let mut file: ResourceFile = toml::from_str(FILE).unwrap();
    file.share_type = share_type;
    if share_type != ShareType::Conditional {
        file.share_condition = None;
    }
    if share_type == ShareType::Withheld {
        file.share_scope = None;
        file.withheld_basis = Some("《统计法》第九条".to_owned());
    }
    file
}

pub fn request_file(code: &ResourceCode) -> RequestFile {
    let file = serde_json::json!({
        "resource": code.to_string(), "consumer": "emergency",
        "purposes": [{"code": "delay-weather", "text": "延误与天气关联分析"}],
        "basis": "突发事件应对法第三十七条",
        "consented_by": {"office": "应急局办公室", "document": "应急函〔2026〕12号"},
        "history": "none", "items": ["carrier", "pilot"], "filter": "carrier == \"AA\"",
        "valid_until": "2026-06-30", "limits": {"records_per_day": 1000},
    });
    serde_json::from_value(file).unwrap()
}
