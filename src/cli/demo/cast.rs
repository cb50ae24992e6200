//! Who takes part: four providers and one consumer, each with an editor, a reviewer and an integrator, as four eyes want.
//! The credit codes are invented and only pass their checks.

use serde_json::{Value, json};

use crate::client::{CallError, Client};

/// Alias, credit code, name.
const AGENCIES: [(&str, &str, &str); 5] = [
    ("civil-aviation", "11999999FAKE01016C", "民航管理局"),
    ("meteorology", "11999999FAKE010247", "气象局"),
    ("transport-stats", "11999999FAKE010322", "交通统计中心"),
    ("division-codes", "11999999FAKE01040W", "区划代码办公室"),
    (CONSUMER, "11999999FAKE01059R", "应急管理局"),
];

pub const CONSUMER: &str = "emergency";

/// The credit code of an agency of the demo; its connectors read and write in a folder of that name.
pub fn credit_code(alias: &str) -> Option<&'static str> {
    AGENCIES.iter().find(|(known, _, _)| *known == alias).map(|(_, code, _)| *code)
}

/// The three people of one agency.
pub struct Agency {
    pub alias: &'static str,
    pub editor: Client,
    pub reviewer: Client,
    pub integrator: Client,
}

pub struct Cast(Vec<Agency>);

impl Cast {
    pub fn agency(&self, alias: &str) -> Result<&Agency, CallError> {
        let found = self.0.iter().find(|agency| agency.alias == alias);
        found.ok_or_else(|| CallError::Broken(format!("the demo knows no agency {alias}")))
    }

    pub fn consumer(&self) -> Result<&Agency, CallError> {
        self.agency(CONSUMER)
    }
}

pub async fn assemble(authority: &Client) -> Result<Cast, CallError> {
    let mut cast = Vec::new();
    for (alias, code, name) in AGENCIES {
        let joining = json!({"code": code, "name": name, "alias": alias});
        authority.post("/agencies", &joining).await?;
        cast.push(Agency {
            alias,
            editor: person(authority, alias, "editor").await?,
            reviewer: person(authority, alias, "reviewer").await?,
            integrator: person(authority, alias, "integrator").await?,
        });
    }
    Ok(Cast(cast))
}

pub async fn person(authority: &Client, agency: &str, role: &str) -> Result<Client, CallError> {
    let account = json!({"name": role, "roles": [role]});
    let account = authority.post(&format!("/agencies/{agency}/accounts"), &account).await?.body;
    let id = text(&account, "id")?;
    let key = authority.post(&format!("/accounts/{id}/keys"), &json!({"roles": [role]})).await?.body;
    authority.with_key(text(&key, "text")?)
}

/// A member that the API promises.
pub fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, CallError> {
    let member = value.get(name).and_then(Value::as_str);
    member.ok_or_else(|| CallError::Broken(format!("an answer has no {name}")))
}
