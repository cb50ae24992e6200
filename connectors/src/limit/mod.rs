//! Rates: how much a bus, an agency, an account, a resource and a grant may move a second, in that order
//! (DESIGN.md 6). Many keys of one agency share its limit.

use serde::{Deserialize, Serialize};

/// What one subject may do a second; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    pub requests_per_second: Option<u32>,
    pub records_per_second: Option<u32>,
    pub bytes_per_second: Option<u32>,
}

/// One limit and what is left of it now, for `whoami` and `grant show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// `bus`, `agency`, `account`, `resource` or `grant`.
    pub level: &'static str,
    /// `requests_per_second`, `records_per_second` or `bytes_per_second`.
    pub limit: &'static str,
    pub value: u32,
    pub used: u32,
    pub left: u32,
    /// Until all of it is there again.
    pub resets_in_ms: u64,
}
