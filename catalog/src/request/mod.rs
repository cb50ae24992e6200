//! A request for data: its file as a consumer writes it, and the request as the catalog keeps it.

pub mod check;
pub mod lifecycle;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{AccountId, AgencyId, GrantId, RequestId, ResourceNumber};
use crate::mask::Mask;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// 1 to 32 of a–z, 0–9 and `-`.
    pub code: String,
    pub text: String,
}

/// The document behind the consent of the consumer's data-office head (Decree 809 art. 20).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    pub office: String,
    pub document: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_day: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_day: Option<i64>,
}

/// How far back a consumer may read: `none`, a date, or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum History {
    None,
    Since(NaiveDate),
    All,
}

impl TryFrom<String> for History {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            date => date
                .parse()
                .map(Self::Since)
                .map_err(|_| format!("history is none, a date or all, not \"{date}\"")),
        }
    }
}

impl From<History> for String {
    fn from(history: History) -> Self {
        match history {
            History::None => "none".to_owned(),
            History::All => "all".to_owned(),
            History::Since(date) => date.to_string(),
        }
    }
}

/// A request as its file says it (interface.md 7); the same shape is the body of POST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFile {
    pub resource: String,
    pub consumer: String,
    pub purposes: Vec<Purpose>,
    pub basis: String,
    pub consented_by: Consent,
    pub history: History,
    pub items: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<NaiveDate>,
    #[serde(default)]
    pub limits: GrantLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    Draft,
    Submitted,
    NeedMaterial,
    Agreed,
    Refused,
    Withdrawn,
}

/// Why a provider refuses (domain.md 4.5); the text stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// 法律法规不允许提供
    LawForbids,
    /// 该数据不在本部门
    NotHeld,
    /// 资源不具备共享条件
    NotShareable,
    Other,
}

/// What the provider adds when it agrees; it may add, never loosen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    #[serde(default)]
    pub masks: BTreeMap<String, Mask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    #[serde(default)]
    pub no_delete_lines: bool,
}

/// A request as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub resource: ResourceNumber,
    pub consumer: AgencyId,
    pub state: RequestState,
    pub version: i32,
    pub file: RequestFile,
    pub written_by: AccountId,
    pub submitted_by: Option<AccountId>,
    pub submitted_at: Option<Time>,
    pub answered_by: Option<AccountId>,
    pub answered_at: Option<Time>,
    /// Free text for the other side; never in an event.
    pub answer: Option<String>,
    pub grant: Option<GrantId>,
}
