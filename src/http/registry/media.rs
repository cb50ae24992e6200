//! Media types: what answers are called, by `Accept`, and what bodies may be called.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use changtong_catalog::error::Refusal;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::http::parts::{media_type, unsupported};

/// In the order of preference; the bodies are the same.
const ANSWERS: [&str; 3] =
    ["application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json"];

/// Around the frame: every answer is called what its caller likes best, a refusal too.
pub async fn called_as_liked(request: Request, next: Next) -> Response {
    let media = liked(request.headers());
    let mut response = next.run(request).await;
    if response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    response
}

/// Of what is accepted the best liked, the earliest of equals. Who accepts none of them gets the first all the same: no
/// client is helped by 406.
fn liked(headers: &HeaderMap) -> &'static str {
    let mut best = (0.0, ANSWERS[0]);
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accepted.flat_map(|value| value.split(',')).map(range).collect();
    for answer in ANSWERS {
        let fitting = ranges.iter().filter(|(range, _)| covers(range, answer));
        // The most exact range counts, whatever the quality of a wider one.
        let quality = fitting.max_by_key(|(range, _)| exactness(range)).map_or(0.0, |(_, quality)| *quality);
        if quality > best.0 {
            best = (quality, answer);
        }
    }
    best.1
}

fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
    (range, quality.unwrap_or(1.0))
}

fn covers(range: &str, answer: &str) -> bool {
    range.eq_ignore_ascii_case(answer) || matches!(range, "*/*" | "application/*" | "*")
}

fn exactness(range: &str) -> u8 {
    match range {
        "*/*" | "*" => 0,
        "application/*" => 1,
        _ => 2,
    }
}

/// A body may be called what answers are called, or bytes, or nothing.
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    match media_type(headers)?.as_deref() {
        None | Some("application/octet-stream") => Ok(()),
        Some(media) if ANSWERS.contains(&media) => Ok(()),
        Some(_) => Err(unsupported(ANSWERS[0])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        liked(&headers)
    }

    #[test]
    fn the_first_version_is_preferred_and_the_best_liked_is_answered() {
        assert_eq!(liked(&HeaderMap::new()), ANSWERS[0]);
        assert_eq!(of("*/*"), ANSWERS[0]);
        let all =
            "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json";
        assert_eq!(of(all), ANSWERS[0]);
        assert_eq!(of("application/json"), ANSWERS[2]);
        assert_eq!(of("application/vnd.schemaregistry+json; q=0.9, application/json; q=0.5"), ANSWERS[1]);
        assert_eq!(of("application/vnd.schemaregistry.v1+json;q=0.1, */*;q=0.8"), ANSWERS[1]);
        assert_eq!(of("text/html"), ANSWERS[0]);
    }

    #[test]
    fn bodies_may_be_called_what_clients_call_them() {
        let called = |media: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
            check(&headers)
        };
        assert!(check(&HeaderMap::new()).is_ok());
        for media in ANSWERS {
            assert!(called(media).is_ok(), "{media}");
        }
        assert!(called("application/octet-stream").is_ok());
        assert!(called("Application/JSON; charset=utf-8").is_ok());
        assert_eq!(called("text/plain").unwrap_err().code.status(), 415);
    }
}
