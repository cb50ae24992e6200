//! Sample callers, entries, requests and grants for the tests of the rules: agency 1 provides, agency 2 consumes.

use uuid::Uuid;

use crate::account::{Caller, Role};
use crate::ids::{AccountId, AgencyId, Generation, KeyId, RequestId, ResourceNumber, SchemaId};
use crate::request::{Consent, GrantLimits, History, Purpose, Request, RequestFile, RequestState};
use crate::resource::{
    Item, ItemType, Kind, Proposal, Resource, ResourceFile, ResourceState, ShareType, UpdateCycle,
};
pub(crate) use crate::sample::grant;

pub(crate) fn caller(agency: u128, account: u128, roles: &[Role]) -> Caller {
    Caller {
        agency: AgencyId(Uuid::from_u128(agency)),
        account: AccountId(Uuid::from_u128(account)),
        key: KeyId("k3yAbCd9".to_owned()),
        roles: roles.iter().copied().collect(),
    }
}

pub(crate) fn item(name: &str, kind: ItemType) -> Item {
    let decimal = matches!(kind, ItemType::N | ItemType::Y);
    Item {
        name: name.to_owned(),
        title: format!("项{name}"),
        kind,
        nullable: false,
        grade: 1,
        length: None,
        precision: decimal.then_some(12),
        scale: decimal.then_some(2),
        values: Vec::new(),
        unit: None,
        mask: None,
        default: None,
        aliases: Vec::new(),
    }
}

pub(crate) fn file() -> ResourceFile {
    let mut items = vec![
        item("origin", ItemType::C),
        item("flight", ItemType::I),
        item("tailnum", ItemType::C),
        item("dep_delay", ItemType::I),
        item("time_hour", ItemType::T),
    ];
    items[2].nullable = true;
    items[3].nullable = true;
    ResourceFile {
        class: "3070220601".to_owned(),
        title: "航班运行信息".to_owned(),
        provider: "transport-stats".to_owned(),
        summary: "出港航班".to_owned(),
        kind: Kind::Table,
        retention: "forever".to_owned(),
        share_type: ShareType::Conditional,
        share_condition: Some("用于航班延误分析".to_owned()),
        share_scope: Some("交通、气象、应急部门".to_owned()),
        withheld_basis: None,
        update_cycle: UpdateCycle::Daily,
        auto_register: false,
        key: vec!["origin".to_owned(), "flight".to_owned(), "time_hour".to_owned()],
        items,
    }
}

pub(crate) fn resource() -> Resource {
    Resource {
        number: ResourceNumber(12),
        code: "3070220601/000001".parse().unwrap(),
        provider: AgencyId(Uuid::from_u128(1)),
        state: ResourceState::Published,
        version: 4,
        generation: Generation(1),
        file: file(),
        written_by: AccountId(Uuid::from_u128(11)),
        submitted_by: Some(AccountId(Uuid::from_u128(11))),
        approved_by: Some(AccountId(Uuid::from_u128(12))),
        schema: Some(SchemaId(7)),
        key_schema: Some(SchemaId(8)),
        published_at: Some("2026-09-24T00:00:00Z".parse().unwrap()),
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    }
}

pub(crate) fn proposal(file: ResourceFile, written_by: u128) -> Proposal {
    Proposal {
        file,
        written_by: AccountId(Uuid::from_u128(written_by)),
        written_at: "2026-09-25T00:00:00Z".parse().unwrap(),
        version: 5,
        overtaken: false,
    }
}

pub(crate) fn request_file() -> RequestFile {
    RequestFile {
        resource: "3070220601-000001".to_owned(),
        consumer: "emergency".to_owned(),
        purposes: vec![Purpose {
            code: "delay-weather".to_owned(), text: "延误与天气关联分析".to_owned()
        }],
        basis: "突发事件应对法第三十七条".to_owned(),
        consented_by: Consent {
            office: "应急局办公室".to_owned(),
            document: "应急函〔2026〕12号".to_owned(),
        },
        history: History::All,
        items: ["origin", "flight", "dep_delay", "time_hour"].map(str::to_owned).to_vec(),
        filter: None,
        valid_until: None,
        limits: GrantLimits::default(),
    }
}

pub(crate) fn request() -> Request {
    Request {
        id: RequestId(Uuid::from_u128(3)),
        resource: ResourceNumber(12),
        consumer: AgencyId(Uuid::from_u128(2)),
        state: RequestState::Submitted,
        version: 2,
        file: request_file(),
        written_by: AccountId(Uuid::from_u128(21)),
        submitted_by: Some(AccountId(Uuid::from_u128(22))),
        submitted_at: None,
        answered_by: None,
        answered_at: None,
        answer: None,
        grant: None,
    }
}

/// An agency with a subject, and a version of it for each of these contents; who registers for that agency.
#[cfg(feature = "testing")]
pub(crate) async fn subject_with(
    store: &crate::store::Store,
    subject: &crate::registry::Subject,
    contents: &[crate::registry::Content],
) -> Caller {
    use crate::agency::{Agency, AgencyNames};
    let (caller, at) = (caller(78, 78, &[Role::Integrator]), crate::clock::Time::default());
    let mut tx = store.begin().await.unwrap();
    if tx.agency(caller.agency).await.unwrap().is_none() {
        let names = AgencyNames { code: None, name: "机构".to_owned(), alias: None };
        let agency = Agency { id: caller.agency, names, suspended: false, version: 1, created_at: at };
        tx.insert_agency(&agency).await.unwrap();
    }
    if !subject.context.is_default() {
        tx.open_context(&subject.context, caller.agency, at).await.unwrap();
    }
    tx.insert_subject(subject, caller.agency, at).await.unwrap();
    for (version, content) in (1..).zip(contents) {
        let known = tx.stored_id(&subject.context, content).await.unwrap();
        let id = match known {
            Some(known) => known,
            None => tx.keep_schema(&subject.context, content, None, at).await.unwrap(),
        };
        tx.insert_version(subject, version, id, at).await.unwrap();
    }
    tx.finish().await.unwrap();
    caller
}
