//! Refusals as the clients of a schema registry read them: `{"error_code", "message"}`.

use axum::response::Response;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::registry::{Wrong, number};
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use crate::http::problem::{Language, Problem, refused};

/// The member of a refusal that holds the registry's own number, where there is one for what happened.
const ERROR_CODE: &str = "error_code";

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        if let Wrong::Refused(refusal) = wrong {
            return refusal.into();
        }
        let code = match wrong.status() {
            403 => Code::Forbidden,
            404 => Code::NotFound,
            409 => Code::Conflict,
            422 => Code::Invalid,
            _ => Code::Internal,
        };
        let message = wrong.to_string();
        Refusal::new(code, message.clone(), message).with(ERROR_CODE, wrong.error_code()).into()
    }
}

/// Clients look at the number, at the status, and at how the message of a numbered refusal begins. What has no such
/// number is said in both languages, English first, unless the caller asked for English.
#[must_use]
pub fn render(refusal: &Refusal, language: Language, _request: &str) -> Response {
    let mut response = refused(refusal, &body(refusal, language));
    if refusal.code == Code::Unauthenticated {
        let schemes = [r#"Basic realm="Changtong", charset="UTF-8""#, "Bearer"];
        for scheme in schemes {
            response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    response
}

fn body(refusal: &Refusal, language: Language) -> Value {
    let text = &refusal.text;
    match refusal.extra.get(ERROR_CODE) {
        Some(number) => json!({ "error_code": number, "message": text.en }),
        None => {
            let message = match language {
                Language::English => text.en.clone(),
                Language::Chinese | Language::Both => format!("{} ({})", text.en, text.zh),
            };
            json!({ "error_code": number(refusal.code), "message": message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_refusal_says_what_clients_match_and_nothing_else() {
        let refusal = Refusal::new(Code::NotFound, "没有", "Subject 's' not found.").with(ERROR_CODE, 40401);
        let expected = json!({ "error_code": 40401, "message": "Subject 's' not found." });
        assert_eq!(body(&refusal, Language::Chinese), expected);
        assert_eq!(body(&refusal, Language::Both), expected);
    }

    #[test]
    fn any_other_is_said_in_both_languages_unless_english_is_asked_for() {
        let refusal = Refusal::new(Code::RateLimited, "超出速率", "too fast").with("limit", "account");
        assert_eq!(
            body(&refusal, Language::Chinese),
            json!({ "error_code": 42901, "message": "too fast (超出速率)" })
        );
        assert_eq!(body(&refusal, Language::English), json!({ "error_code": 42901, "message": "too fast" }));
        assert_eq!(number(Code::UriTooLong), 414);
    }

    #[test]
    fn who_is_not_known_is_told_both_ways_to_say_who_it_is() {
        let refusal = Refusal::new(Code::Unauthenticated, "无效", "not known");
        let response = render(&refusal, Language::English, "r-1");
        assert_eq!(response.status(), 401);
        let schemes: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(schemes, [r#"Basic realm="Changtong", charset="UTF-8""#, "Bearer"]);
    }
}
