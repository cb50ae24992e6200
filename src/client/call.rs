//! One call and its repetitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use changtong_catalog::clock::Ids as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::problem::{CallError, Problem};
use super::trust::{Trust, distrust};
use crate::clock::SystemIds;

/// How long a write is tried before its last refusal is given back.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A machine that is gone says nothing at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Between two pieces of an answer; a read may wait half a minute for its first.
const PIECE_WITHIN: Duration = Duration::from_secs(90);

/// A caller of one server with one key; cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    key: Arc<str>,
    language: Arc<str>,
    trust: Trust,
    patience: Duration,
    /// Whether an answer came yet; absent where a server may still be starting.
    answered: Option<Arc<AtomicBool>>,
}

/// The answer of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Value,
}

impl Client {
    /// `base` is the server's address without `/api/v1`; `language` is `zh`, `en` or, for both, `mul`.
    pub fn new(base: &str, key: &str, language: &str) -> Result<Self, CallError> {
        Self::trusting(base, key, language, Trust::default())
    }

    /// A server at an `https://` address must show a certificate that is trusted.
    pub fn trusting(base: &str, key: &str, language: &str, trust: Trust) -> Result<Self, CallError> {
        let broken = |error: &dyn std::fmt::Display| CallError::Broken(format!("{base}: {error}"));
        let mut headers = reqwest::header::HeaderMap::new();
        let bearer = format!("Bearer {key}").parse().map_err(|e| broken(&e))?;
        headers.insert(reqwest::header::AUTHORIZATION, bearer);
        headers.insert(reqwest::header::ACCEPT_LANGUAGE, language.parse().map_err(|e| broken(&e))?);
        let http = reqwest::Client::builder().default_headers(headers);
        let http = http.connect_timeout(CONNECT_WITHIN).read_timeout(PIECE_WITHIN);
        // The API never leads elsewhere; whoever does would be given the key of another.
        let http = http.redirect(reqwest::redirect::Policy::none());
        let http = trust.rule(http).build().map_err(|e| broken(&e))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            key: key.into(),
            language: language.into(),
            trust,
            patience: PATIENCE,
            answered: None,
        })
    }

    /// The same server, called with another key.
    pub fn with_key(&self, key: &str) -> Result<Self, CallError> {
        let other = Self::trusting(&self.base, key, &self.language, self.trust.clone())?;
        Ok(Self { patience: self.patience, answered: self.answered.clone(), ..other })
    }

    /// A server that has never answered is not waited for.
    #[must_use]
    pub fn expecting_a_server(mut self) -> Self {
        self.answered = Some(Arc::default());
        self
    }

    /// Gives back a passing refusal after this long at most.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// `path` begins behind `/api/v1`, with a slash.
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        let (_, body) = self.read(path).await?;
        Ok(body)
    }

    /// The document and its `ETag`.
    pub async fn read(&self, path: &str) -> Result<(Option<String>, Value), CallError> {
        let written = self.answer(|| self.request(Method::GET, path)).await?;
        Ok((written.etag, written.body))
    }

    /// Every entry of a list, page after page; `path` may have a query.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, CallError> {
        self.list_most(path, usize::MAX).await
    }

    /// The first entries of a list, not more than `most`.
    pub async fn list_most(&self, path: &str, most: usize) -> Result<Vec<Value>, CallError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = match &after {
                Some(after) => self.get(&format!("{path}{joint}after={after}")).await?,
                None => self.get(path).await?,
            };
            let entries = page.get("items").and_then(Value::as_array);
            all.extend(entries.into_iter().flatten().take(most - all.len()).cloned());
            match page.get("next").and_then(Value::as_str) {
                Some(next) if all.len() < most => after = Some(next.to_owned()),
                _ => return Ok(all),
            }
        }
    }

    pub async fn delete(&self, path: &str) -> Result<Written, CallError> {
        let key = fresh_key();
        self.answer(|| self.request(Method::DELETE, path).header("Idempotency-Key", &key)).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Written, CallError> {
        let key = fresh_key();
        self.answer(|| self.request(Method::POST, path).header("Idempotency-Key", &key).json(body)).await
    }

    /// Posts records that are no publish of their own.
    pub async fn post_records(&self, path: &str, media_type: &str, body: Bytes) -> Result<Value, CallError> {
        let call = || self.request(Method::POST, path).header("Content-Type", media_type).body(body.clone());
        Ok(self.answer(call).await?.body)
    }

    /// Changes the version that `etag` names.
    pub async fn put(&self, path: &str, etag: &str, body: &impl Serialize) -> Result<Written, CallError> {
        let key = fresh_key();
        let call =
            || self.request(Method::PUT, path).header("If-Match", etag).header("Idempotency-Key", &key);
        self.answer(|| call().json(body)).await
    }

    /// Puts a document that has no version: the last one stands.
    pub async fn put_whole(&self, path: &str, body: &impl Serialize) -> Result<Written, CallError> {
        self.answer(|| self.request(Method::PUT, path).json(body)).await
    }

    /// A post that names the version it changes.
    pub async fn post_if_match(
        &self,
        path: &str,
        etag: &str,
        body: &impl Serialize,
    ) -> Result<Written, CallError> {
        let key = fresh_key();
        let call =
            || self.request(Method::POST, path).header("If-Match", etag).header("Idempotency-Key", &key);
        self.answer(|| call().json(body)).await
    }

    /// Publishes a body; the same key never publishes twice.
    pub async fn publish(
        &self,
        resource: &str,
        media_type: &str,
        on_invalid: &str,
        idempotency_key: &str,
        body: Bytes,
    ) -> Result<Value, CallError> {
        self.publish_under(resource, media_type, on_invalid, ("Idempotency-Key", idempotency_key), body).await
    }

    /// Publishes one step of a source, `CONNECTOR FROM TO`.
    pub async fn publish_step(
        &self,
        resource: &str,
        media_type: &str,
        on_invalid: &str,
        step: &str,
        body: Bytes,
    ) -> Result<Value, CallError> {
        self.publish_under(resource, media_type, on_invalid, ("Changtong-Source", step), body).await
    }

    /// The claim is the header by which a repeated publish is known.
    async fn publish_under(
        &self,
        resource: &str,
        media_type: &str,
        on_invalid: &str,
        (claim, value): (&str, &str),
        body: Bytes,
    ) -> Result<Value, CallError> {
        let path = format!("/resources/{resource}/records?on_invalid={on_invalid}");
        let call = || {
            self.request(Method::POST, &path)
                .header("Content-Type", media_type)
                .header(claim, value)
                .body(body.clone())
        };
        Ok(self.answer(call).await?.body)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base))
    }

    /// Sends until the answer is not a passing one or patience ends.
    async fn answer(&self, call: impl Fn() -> RequestBuilder) -> Result<Written, CallError> {
        let end = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.once(call()).await {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            let after = match &error {
                CallError::Refused(problem) if problem.is_passing() => problem.retry_after.unwrap_or(pause),
                CallError::Unreachable(_) if self.may_come_back() => pause,
                _ => return Err(error),
            };
            if Instant::now() + after > end {
                return Err(error);
            }
            sleep(after).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn may_come_back(&self) -> bool {
        self.answered.as_ref().is_none_or(|answered| answered.load(Ordering::Relaxed))
    }

    async fn once(&self, call: RequestBuilder) -> Result<Written, CallError> {
        let answer = call.send().await.map_err(|error| self.unreachable(&error))?;
        if let Some(answered) = &self.answered {
            answered.store(true, Ordering::Relaxed);
        }
        let answer = self.refused(answer).await?;
        let status = answer.status().as_u16();
        let etag = header(&answer, "etag");
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        if text.is_empty() {
            return Ok(Written { status, etag, body: Value::Null });
        }
        let body = serde_json::from_str(&text).map_err(|_| {
            CallError::Broken(format!("{} answered {status} with something that is not JSON", self.base))
        })?;
        Ok(Written { status, etag, body })
    }

    /// The answer, unless it is a problem.
    pub(super) async fn refused(&self, answer: Response) -> Result<Response, CallError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after =
            header(&answer, "retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        if text.is_empty() && status == StatusCode::BAD_GATEWAY {
            return Err(CallError::Unreachable(format!("{} answered {status}", self.base)));
        }
        Err(CallError::Refused(Box::new(Problem::of(status.as_u16(), retry_after, &text))))
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> CallError {
        if let Some(why) = distrust(error, &self.base) {
            return CallError::Distrusted(why);
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        CallError::Unreachable(format!("{} does not answer: {cause}", self.base))
    }
}

pub(super) fn header(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn fresh_key() -> String {
    let mut random = [0; 16];
    SystemIds.fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}
