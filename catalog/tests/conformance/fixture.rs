//! A small catalog to test on: two agencies, their accounts and keys, a published resource, a grant, a subscription.

use chrono::Duration;
use uuid::Uuid;

use changtong_catalog::account::{Account, ApiKey, Caller, Role, Roles};
use changtong_catalog::agency::{Agency, AgencyNames};
use changtong_catalog::clock::Time;
use changtong_catalog::grant::{Grant, Subscription};
use changtong_catalog::ids::{
    AccountId, AgencyId, Generation, GrantId, GrantNumber, KeyId, RequestId, SchemaId, SubscriptionId,
    TopicName,
};
use changtong_catalog::registry::Part;
use changtong_catalog::request::{Request, RequestState};
use changtong_catalog::resource::{Resource, ResourceFile, ResourceState};
use changtong_catalog::sample;
use changtong_catalog::store::{NewKey, ResourceChange, Store, Tx};

pub struct Fixture {
    pub provider: Caller,
    pub consumer: Caller,
    pub resource: Resource,
    pub request: Request,
    pub grant: Grant,
    pub subscription: Subscription,
}

/// A moment with a full microsecond part.
pub fn at(seconds: i64) -> Time {
    "2026-03-01T08:00:00.123456Z".parse::<Time>().unwrap() + Duration::seconds(seconds)
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0197_8a3c_0000_7000_8000_0000_0000_0000 + number)
}

/// Makes all of it.
pub async fn catalog(store: &Store) -> Fixture {
    let mut tx = store.begin().await.unwrap();
    let provider = member(&mut tx, 1, "91370100MA3C00001X", "transport").await;
    let consumer = member(&mut tx, 2, "91370100MA3C00002H", "emergency").await;
    let resource = published(&mut tx, &provider, "3070220601", "航班运行信息").await;
    let request = request(&resource, &consumer);
    tx.insert_request(&request, at(3)).await.unwrap();
    let grant = grant(&mut tx, &resource, &request).await;
    let subscription = subscription(&grant);
    tx.insert_subscription(&subscription).await.unwrap();
    tx.finish().await.unwrap();
    Fixture { provider, consumer, resource, request, grant, subscription }
}

/// An agency with one account that holds every role of an agency, and its key.
pub async fn member(tx: &mut Tx, number: u128, code: &str, alias: &str) -> Caller {
    let agency = agency(number, code, alias);
    tx.insert_agency(&agency).await.unwrap();
    let roles: Roles = [Role::Editor, Role::Reviewer, Role::Integrator].into_iter().collect();
    let account = account(number, agency.id, "first", roles);
    tx.insert_account(&account).await.unwrap();
    let key = api_key(number, account.id, roles);
    tx.insert_key(&key, &new_key(&key.id)).await.unwrap();
    Caller { agency: agency.id, account: account.id, key: key.id, roles }
}

pub fn agency(number: u128, code: &str, alias: &str) -> Agency {
    Agency {
        id: AgencyId(id(0x100 + number)),
        names: AgencyNames {
            code: Some(code.to_owned()),
            name: format!("机构 {number}"),
            alias: Some(alias.parse().unwrap()),
        },
        suspended: false,
        version: 1,
        created_at: at(0),
    }
}

pub fn account(number: u128, agency: AgencyId, name: &str, roles: Roles) -> Account {
    Account {
        id: AccountId(id(0x200 + number)),
        agency,
        name: name.to_owned(),
        roles,
        suspended: false,
        version: 1,
        created_at: at(0),
    }
}

pub fn api_key(number: u128, account: AccountId, scopes: Roles) -> ApiKey {
    ApiKey {
        id: KeyId(format!("key{number:05}")),
        account,
        scopes,
        issued_by: None,
        created_at: at(0),
        expires_at: at(31_536_000),
        revoked_at: None,
        last_used_at: None,
    }
}

pub fn new_key(id: &KeyId) -> NewKey {
    NewKey { id: id.clone(), mac: vec![7; 32], pepper: "p1".to_owned() }
}

const FILE: &str = r#"
title = "T"
class = "C"
provider = "transport"
kind = "table"
share_type = "conditional"
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
"#;

/// A draft of a class.
pub async fn draft(tx: &mut Tx, provider: &Caller, class: &str, title: &str) -> Resource {
    let (number, code) = tx.number_resource(&class.parse().unwrap()).await.unwrap();
    let mut file: ResourceFile = toml::from_str(FILE).unwrap();
    file.title = title.to_owned();
    file.class = class.to_owned();
    let resource = Resource {
        number,
        code,
        provider: provider.agency,
        state: ResourceState::Draft,
        version: 1,
        generation: Generation(1),
        file,
        written_by: provider.account,
        submitted_by: None,
        approved_by: None,
        schema: None,
        key_schema: None,
        published_at: None,
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    };
    tx.insert_resource(&resource, change(provider, "draft", 1)).await.unwrap();
    resource
}

pub fn change(caller: &Caller, action: &'static str, seconds: i64) -> ResourceChange {
    ResourceChange { action, by: caller.account, at: at(seconds) }
}

/// The text of its value schema.
pub const VALUE_SCHEMA: &str = r#"{"type":"record","name":"v","fields":[]}"#;

/// A published entry.
pub async fn published(tx: &mut Tx, provider: &Caller, class: &str, title: &str) -> Resource {
    let mut resource = draft(tx, provider, class, title).await;
    let value = tx.register_schema(VALUE_SCHEMA, at(2)).await.unwrap();
    let key = tx.register_schema(r#"{"type":"record","name":"k","fields":[]}"#, at(2)).await.unwrap();
    resource.version = 2;
    resource.state = ResourceState::Published;
    resource.published_at = Some(at(2));
    resource.schema = Some(value.id);
    resource.key_schema = Some(key.id);
    tx.update_resource(&resource, change(provider, "publish", 2)).await.unwrap();
    let topic = TopicName::records("", resource.number, resource.generation);
    for (part, schema) in [(Part::Value, value.id), (Part::Key, key.id)] {
        let subject = (resource.number, resource.generation, part);
        tx.put_in_force(&topic, subject, (schema, resource.version), at(2)).await.unwrap();
    }
    resource
}

pub fn request(resource: &Resource, consumer: &Caller) -> Request {
    let file = serde_json::json!({
        "resource": resource.code.to_string(), "consumer": "emergency",
        "purposes": [{"code": "delay-weather", "text": "延误与天气关联分析"}],
        "basis": "依据", "consented_by": {"office": "办公室", "document": "应急函〔2026〕12号"},
        "history": "all", "items": ["carrier", "dep_delay"], "limits": {"calls_per_day": 20000},
    });
    Request {
        id: RequestId(id(0x300)),
        resource: resource.number,
        consumer: consumer.agency,
        state: RequestState::Draft,
        version: 1,
        file: serde_json::from_value(file).unwrap(),
        written_by: consumer.account,
        submitted_by: None,
        submitted_at: None,
        answered_by: None,
        answered_at: None,
        answer: None,
        grant: None,
    }
}

/// An active grant of everything asked for.
pub async fn grant(tx: &mut Tx, resource: &Resource, request: &Request) -> Grant {
    let number = tx.number_grant().await.unwrap();
    let grant = Grant {
        id: GrantId(id(0x400 + u128::try_from(number.0).unwrap())),
        number,
        resource: resource.number,
        consumer: request.consumer,
        request: request.id,
        purposes: request.file.purposes.clone(),
        items: request.file.items.clone(),
        masks: [("carrier".to_owned(), changtong_catalog::mask::Mask::First)].into(),
        provider_filter: Some("carrier != \"XX\"".to_owned()),
        limits: request.file.limits,
        schema: resource.schema.unwrap_or(SchemaId(1)),
        created_at: at(4),
        valid_until: Some(at(86_400)),
        ..sample::grant()
    };
    tx.insert_grant(&grant).await.unwrap();
    grant
}

pub fn subscription(grant: &Grant) -> Subscription {
    let GrantNumber(number) = grant.number;
    Subscription {
        id: SubscriptionId(id(0x500 + u128::try_from(number).unwrap())),
        grant: grant.id,
        name: "copy".to_owned(),
        deletes: true,
        seek_count: 0,
        view: i64::MIN + 7,
        generation: Generation(1),
        position: vec![0, 12, 9_007_199_254_740_993],
        created_at: at(5),
        acked_at: None,
    }
}
