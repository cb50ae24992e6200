//! A participating agency: an id for good, and a credit code, a name and an alias that may change.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{AgencyId, Alias};

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
