//! What a call can come to other than its answer.

use std::fmt;
use std::time::Duration;

use changtong_catalog::error::Text;
use serde_json::Value;

/// A refusal as the server says it (RFC 9457).
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub body: Value,
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn of(status: u16, retry_after: Option<Duration>, text: &str) -> Self {
        let body: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            status,
            code: member("code").unwrap_or_else(|| "unknown".to_owned()),
            detail: member("detail").or_else(|| member("title")).unwrap_or_else(|| format!("HTTP {status}")),
            retry_after,
            body,
        }
    }

    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 503) || self.code == "idempotency_in_progress"
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    Refused(Box<Problem>),
    /// No answer came.
    Unreachable(String),
    /// Who answers shows no certificate that is trusted, or none at all.
    Distrusted(Text),
    /// An answer came that is not what the API promises.
    Broken(String),
}

impl CallError {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => {
                write!(f, "{}: {}", problem.code, problem.detail)?;
                let list = |name| problem.body.get(name).and_then(Value::as_array);
                // The detail is the first of `problems` in words.
                let listed =
                    list("invalid").or_else(|| list("problems").filter(|problems| problems.len() > 1));
                for entry in listed.into_iter().flatten().take(10) {
                    write!(f, "\n  {}", one_line(entry))?;
                }
                Ok(())
            }
            Self::Distrusted(why) => f.write_str(&why.en),
            Self::Unreachable(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CallError {}

/// `index 3, dep_delay: …` of an entry of `invalid` or `problems`.
fn one_line(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let place = match entry.get("index") {
        Some(index) => format!("[{index}] {}", text("path")),
        None => text("path").to_owned(),
    };
    format!("{}: {}", place.trim(), text("reason"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(body: &Value) -> String {
        CallError::Refused(Box::new(Problem::of(422, None, &body.to_string()))).to_string()
    }

    #[test]
    fn bad_records_and_several_problems_are_listed_below_the_detail() {
        let one = json!({ "code": "invalid", "detail": "code: wrong", "problems": [{ "path": "code", "reason": "wrong" }] });
        assert_eq!(said(&one), "invalid: code: wrong");
        let problem = |path: &str| json!({ "path": path, "code": "invalid", "reason": "为空" });
        let two = json!({ "code": "invalid", "detail": "a:为空(另有 1 处)", "problems": [problem("a"), problem("b")] });
        assert_eq!(said(&two), "invalid: a:为空(另有 1 处)\n  a: 为空\n  b: 为空");
        let record = json!({ "code": "records_invalid", "detail": "1", "invalid": [{ "index": 7, "path": "id", "reason": "missing" }] });
        assert_eq!(said(&record), "records_invalid: 1\n  [7] id: missing");
    }
}
