//! Errors on the wire: `application/problem+json` (RFC 9457), in Chinese or English, with a code of the closed list.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use changtong_catalog::error::{Code, Refusal};
use http::header::{
    ACCEPT_LANGUAGE, CONNECTION, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// A refusal on its way out. The frame around every handler writes its body, in the caller's language.
#[derive(Debug, Clone)]
pub struct Problem(pub Arc<Refusal>);

/// What handlers answer.
pub type Answer<T = Response> = Result<T, Problem>;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(Arc::new(refusal))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
    /// For programs that pass a refusal on to people of either language: `detail` in both, and `texts` with each.
    Both,
}

impl Language {
    /// The better liked of the two; Chinese where the client says nothing.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, Self::Chinese);
        for part in header.split(',') {
            let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
            let quality: f32 = quality.trim().parse().unwrap_or(0.0);
            let language = match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                Some("mu") if tag.trim().eq_ignore_ascii_case("mul") => Self::Both,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, language);
            }
        }
        best.1
    }

    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
            Self::Both => "mul",
        }
    }
}

/// The body and headers of a refusal.
#[must_use]
pub fn render(refusal: &Refusal, language: Language, instance: &str) -> Response {
    let mut members = members(refusal, language);
    members.insert("instance".to_owned(), instance.into());
    let mut response = refused(refusal, &Value::Object(members));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    if refusal.code == Code::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A refusal with that body: its status, and what it says of coming again and of the connection.
#[must_use]
pub fn refused(refusal: &Refusal, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(after) = refusal.retry_after {
        // Whole seconds, never zero: a client that obeys would come back at once.
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_millis().div_ceil(1000).max(1) as u64));
    }
    let unread = [Code::BodyTooLarge, Code::DecompressedTooLarge, Code::RequestTimeout, Code::TooManyAtOnce];
    if unread.contains(&refusal.code) {
        // The rest of the body stays unread, so the connection ends: a client must not send its next request on it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a refusal says, in the caller's language.
#[must_use]
pub fn members(refusal: &Refusal, language: Language) -> Map<String, Value> {
    let own = refusal.extra.iter().map(|(name, value)| (name.clone(), spoken(value, language)));
    let mut members: Map<String, Value> = own.collect();
    members.extend(standard_members(refusal, language));
    members
}

/// Texts that a member holds in both languages, in the caller's.
fn spoken(value: &Value, language: Language) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| spoken(value, language)).collect(),
        Value::Object(members) => match (members.len(), members.get(language.tag())) {
            (2, Some(text)) if members.contains_key("zh") && members.contains_key("en") => text.clone(),
            _ => Value::Object(members.iter().map(|(k, v)| (k.clone(), spoken(v, language))).collect()),
        },
        value => value.clone(),
    }
}

fn standard_members(refusal: &Refusal, language: Language) -> Map<String, Value> {
    let code = refusal.code;
    let (zh, en) = (&refusal.text.zh, &refusal.text.en);
    let (title, detail, texts) = match language {
        Language::Chinese => (code.title_zh().to_owned(), zh.clone(), None),
        Language::English => (code.title().trim().to_owned(), en.clone(), None),
        Language::Both => (
            format!("{} / {}", code.title_zh(), code.title().trim()),
            format!("{zh} / {en}"),
            Some(json!({ "zh": zh, "en": en })),
        ),
    };
    let mut members = json!({
        "type": format!("urn:changtong:problem:{code}"),
        "title": title,
        "status": code.status(),
        "detail": detail,
        "code": code.as_str(),
        "retryable": code.retryable(),
    });
    if let Some(texts) = texts {
        members["texts"] = texts;
    }
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn language(header: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(header).unwrap());
        Language::of(&headers)
    }

    #[test]
    fn the_better_liked_language_is_taken() {
        assert_eq!(language("en"), Language::English);
        assert_eq!(language("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(language("zh;q=0.1, en-GB;q=0.7"), Language::English);
        assert_eq!(language("de, fr;q=0.5"), Language::Chinese);
        assert_eq!(language("é;q=x"), Language::Chinese);
        assert_eq!(language("mul"), Language::Both);
        assert_eq!(Language::of(&HeaderMap::new()), Language::Chinese);
    }

    #[test]
    fn a_body_says_what_happened_and_its_own_members_cannot_replace_the_standard_ones() {
        let refusal = Refusal::new(Code::RateLimited, "超出速率", "too fast")
            .with("limit", "account.requests_per_second")
            .with("code", "something else")
            .retry_after(Duration::from_millis(1200));
        let response = render(&refusal, Language::English, "r-1");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let members = members(&refusal, Language::Chinese);
        assert_eq!(members["detail"], "超出速率");
        assert_eq!(members["title"], "速率暂时用尽。");
        assert_eq!(members["code"], "rate_limited");
        assert_eq!(members["status"], 429);
        let both = standard_members(&refusal, Language::Both);
        assert_eq!(both["detail"], "超出速率 / too fast");
        assert_eq!(both["texts"], json!({ "zh": "超出速率", "en": "too fast" }));
    }

    #[test]
    fn members_in_both_languages_are_said_in_the_callers() {
        let invalid = json!([{ "index": 3, "reason": { "zh": "缺", "en": "missing" } }]);
        let said = |language| spoken(&invalid, language)[0].clone();
        assert_eq!(said(Language::Both), invalid[0]);
        assert_eq!(said(Language::English), json!({ "index": 3, "reason": "missing" }));
        assert_eq!(said(Language::Chinese), json!({ "index": 3, "reason": "缺" }));
    }
}
