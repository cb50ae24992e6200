//! The parts of a request that handlers take: a segment of the path, the query, a JSON document. What is wrong with one
//! is a problem like any other.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use changtong_catalog::error::{Code, Refusal, Text};
use changtong_catalog::ids::{AccountId, EventId, GrantId, KeyId, QuarantineId, RequestId, ResourceCode};
use changtong_catalog::ids::{SchemaId, SubscriptionId};
use changtong_catalog::wording::{of_data, of_json};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::body;
use super::frame::budget;
use super::objects;
use super::problem::Problem;
use crate::app::App;

/// The one variable segment of a path.
#[derive(Debug)]
pub struct At<T>(pub T);

/// What a segment can name.
pub trait Segment: Sized {
    fn read(text: &str) -> Result<Self, Refusal>;
}

macro_rules! segments {
    ($($id:ty),*) => { $(
        impl Segment for $id {
            fn read(text: &str) -> Result<Self, Refusal> {
                text.parse()
            }
        }
    )* };
}

segments!(AccountId, EventId, GrantId, QuarantineId, RequestId, SubscriptionId);

impl Segment for String {
    fn read(text: &str) -> Result<Self, Refusal> {
        Ok(text.to_owned())
    }
}

impl Segment for KeyId {
    fn read(text: &str) -> Result<Self, Refusal> {
        Ok(Self(text.to_owned()))
    }
}

impl Segment for ResourceCode {
    /// A malformed code names nothing.
    fn read(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| Refusal::not_found("信息资源", "resource"))
    }
}

impl Segment for SchemaId {
    fn read(text: &str) -> Result<Self, Refusal> {
        text.parse().map(Self).map_err(|_| Refusal::not_found("模式", "schema"))
    }
}

impl<T: Segment, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.map_err(|_| {
            Refusal::new(Code::BadRequest, "路径不是有效的 UTF-8", "the path is not valid UTF-8")
        })?;
        Ok(Self(T::read(&text)?))
    }
}

/// The query string.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|rejection: QueryRejection| {
            let reason = rejection.body_text();
            let reason = of_data(reason.rsplit("query string: ").next().unwrap_or_default());
            let (zh, en) = (reason.zh, reason.en);
            Refusal::new(Code::BadRequest, format!("查询参数有误:{zh}"), format!("the query is wrong: {en}"))
                .into()
        })
    }
}

/// A JSON document and the digest by which an idempotency key knows it again.
#[derive(Debug)]
pub struct Document<T> {
    pub value: T,
    pub hash: [u8; 16],
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let media = media_type(&parts.headers)?;
        if media.as_deref().is_some_and(|media| media != "application/json") {
            return Err(unsupported("application/json").into());
        }
        let budget = budget(&parts.extensions, app);
        let held = body::read(&parts.headers, body, app.document_limits(), &budget).await?;
        // An action without options is POSTed without a body.
        let bytes: &[u8] = if held.bytes.is_empty() { b"{}" } else { &held.bytes };
        Ok(Self { value: document(bytes)?, hash: digest(&[bytes]) })
    }
}

/// A JSON document; what is wrong with it said in our words.
fn document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let wrong = |code, text: Text| {
        Refusal::new(code, format!("请求体有误:{}", text.zh), format!("the body is wrong: {}", text.en))
    };
    objects::read(bytes).map_err(|error| {
        wrong(if error.is_data() { Code::Invalid } else { Code::BadRequest }, of_json(&error))
    })
}

/// 16 bytes over all parts, each with its length.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&sha.finalize()[..16]);
    hash
}

/// The media type without its parameters, lower-case.
pub fn media_type(headers: &http::HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        Refusal::new(Code::BadHeader, "Content-Type 有误", "Content-Type is malformed")
            .with("header", "Content-Type")
    })?;
    Ok(Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()))
}

#[must_use]
pub fn unsupported(expected: &str) -> Refusal {
    Refusal::new(
        Code::UnsupportedMediaType,
        format!("Content-Type 应为 {expected}"),
        format!("Content-Type must be {expected}"),
    )
    .with("expected", expected)
}
