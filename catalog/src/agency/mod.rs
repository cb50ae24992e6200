//! A participating agency: an id for good, and a credit code, a name and an alias that may change.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::codes::Uscc;
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
            if let Err(refusal) = code.parse::<Uscc>() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_has_a_name_and_a_credit_code() {
        let wrong = |code: Option<&str>, name: &str| {
            let names = AgencyNames { code: code.map(str::to_owned), name: name.to_owned(), alias: None };
            check(&names).err().map(|refusal| refusal.code)
        };
        let code = "11999999FAKE00021N";
        assert_eq!(wrong(Some(code), "应急管理局"), None);
        assert!(wrong(None, "应急管理局").is_some());
        assert!(wrong(Some("11999999FAKE00021M"), "应急管理局").is_some());
        for name in ["", "应急\n管理局", &"局".repeat(101)] {
            assert!(wrong(Some(code), name).is_some(), "{name}");
        }
    }
}
