//! A participating agency: an id for good, and a credit code, a name and an alias that may change.

pub mod credit_code;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AgencyId, Alias};
use crate::problems::{Problems, line};

/// What an agency is called; kept with the dates from and until which it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyNames {
    /// 18-character unified social credit code; the built-in agency of the authority has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agency {
    pub id: AgencyId,
    #[serde(flatten)]
    pub names: AgencyNames,
    pub suspended: bool,
    /// Raised by every change; the `ETag`.
    pub version: i32,
    pub created_at: Time,
}

/// Whether an agency may be called so: a name, and a credit code whose check characters are right.
pub fn check(names: &AgencyNames) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    line(100).check(&mut problems, Code::Invalid, "name", &names.name);
    match &names.code {
        Some(code) => {
            if let Err(refusal) = credit_code::check(code) {
                problems.take("code", refusal);
            }
        }
        None => problems.add(
            Code::InvalidCode,
            "code",
            "机构应有统一社会信用代码",
            "an agency has a unified social credit code",
        ),
    }
    problems.check()
}
