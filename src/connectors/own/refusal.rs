//! What a call came to, as the runner knows refusals: the server's own code and texts, or that it does not answer.

use changtong_catalog::error::{Code, Refusal};
use serde_json::Value;

use crate::client::{CallError, Problem};

/// Members that every problem has.
const STANDARD: [&str; 8] = ["type", "title", "status", "detail", "code", "instance", "retryable", "texts"];

/// Used with `map_err`.
pub(super) fn refusal(error: CallError) -> Refusal {
    match error {
        CallError::Refused(problem) => refused(*problem),
        CallError::Unreachable(why) => Refusal::new(
            Code::ServerUnreachable,
            format!("服务器没有应答:{why};恢复后自动继续"),
            format!("{why}; it goes on by itself when the server is back"),
        ),
        CallError::Distrusted(why) => Refusal::new(Code::ServerUnreachable, why.zh, why.en),
        CallError::Broken(why) => Refusal::new(
            Code::ServerUnreachable,
            format!("服务器的应答不合约定(中间可能有别的程序):{why}"),
            format!("the answer is not what the API promises (something may stand between): {why}"),
        ),
    }
}

fn refused(problem: Problem) -> Refusal {
    let text = |at: &str| problem.body.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let zh = text("/texts/zh").unwrap_or_else(|| problem.detail.clone());
    let en = text("/texts/en").unwrap_or_else(|| problem.detail.clone());
    let mut refusal = Refusal::new(code(&problem), zh, en);
    if let Value::Object(members) = problem.body {
        refusal.extra = members.into_iter().filter(|(name, _)| !STANDARD.contains(&&**name)).collect();
    }
    refusal.retry_after = problem.retry_after;
    refusal
}

/// A code of a newer server, or the answer of something between, is judged by its status.
fn code(problem: &Problem) -> Code {
    Code::named(&problem.code).unwrap_or(match problem.status {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        408 | 429 | 500.. => Code::ServerUnreachable,
        _ => Code::BadRequest,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn of(status: u16, body: Value) -> Refusal {
        let code = body["code"].as_str().unwrap_or("unknown").to_owned();
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        let retry_after = Some(Duration::from_secs(7));
        refusal(CallError::Refused(Box::new(Problem { status, code, detail, body, retry_after })))
    }

    #[test]
    fn what_the_server_says_is_passed_on_in_both_languages() {
        let heard = of(
            409,
            json!({
                "code": "source_position", "detail": "位置 / position", "texts": { "zh": "位置", "en": "position" },
                "status": 409, "position": "a1:7:1:ab",
            }),
        );
        let expected = Refusal::new(Code::SourcePosition, "位置", "position").with("position", "a1:7:1:ab");
        assert_eq!(heard, expected.retry_after(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_not_known_is_judged_by_its_status() {
        assert_eq!(of(502, json!({})).code, Code::ServerUnreachable);
        assert_eq!(of(429, json!({ "code": "new_limit" })).code, Code::ServerUnreachable);
        assert_eq!(of(418, json!({ "code": "teapot" })).code, Code::BadRequest);
        let silent = refusal(CallError::Unreachable("http://x does not answer".to_owned()));
        assert!(silent.code == Code::ServerUnreachable && silent.code.retryable());
    }
}
