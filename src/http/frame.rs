//! The frame around every handler: request id, limits of the head, the caller's language, metrics and the log line. The
//! only place that writes a problem's body, so nothing refused goes uncounted.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::account::Caller;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::problem::{Language, Problem, render};
use crate::app::App;

/// Names the request in the answer, in the log and as `instance` of a problem.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The connection's other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Where the extractor of callers leaves whom it recognised, for the frame.
#[derive(Debug, Clone, Default)]
pub struct Recognised(pub Arc<OnceLock<Caller>>);

pub async fn frame(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = app.ids.uuid(app.clock.now()).to_string();
    let language = Language::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let from = source(&app, &request);
    let recognised = Recognised::default();
    request.extensions_mut().insert(recognised.clone());

    let _running = app.metrics.http.begin();
    let mut response = match check_head(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => Problem::from(refusal).into_response(),
    };
    let code = match response.extensions_mut().remove::<Problem>() {
        Some(Problem(refusal)) => {
            response = render(&refusal, language, &id);
            app.refused(recognised.0.get(), refusal.code);
            refusal.code.as_str()
        }
        None => "",
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    app.metrics.http.answered(&route, method.as_str(), response.status().as_u16(), code, took);
    let account = recognised.0.get().map(|caller| caller.account.to_string()).unwrap_or_default();
    tracing::debug!(
        request = %id, %method, route, status = response.status().as_u16(), code, account, from,
        took_ms = took.as_millis(), "answered"
    );
    response
}

/// hyper has bounds of its own, far above these; these have names and say what to do.
fn check_head(app: &App, request: &Request) -> Result<(), Refusal> {
    let limits = &app.settings.http;
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if uri > limits.uri.0 {
        return Err(Refusal::new(
            Code::UriTooLong,
            format!("地址长 {uri} 字节,超过 {} 字节", limits.uri.0),
            format!("the address has {uri} bytes, more than {}", limits.uri.0),
        )
        .with("limit", "http.uri")
        .with("value", limits.uri.0));
    }
    let size = size_of(request.headers());
    if size > limits.headers.0 {
        return Err(Refusal::new(
            Code::HeadersTooLarge,
            format!("请求头共 {size} 字节,超过 {} 字节", limits.headers.0),
            format!("the headers have {size} bytes, more than {}", limits.headers.0),
        )
        .with("limit", "http.headers")
        .with("value", limits.headers.0));
    }
    Ok(())
}

fn size_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The true other end: what a proxy says counts only if the proxy is one of ours.
fn source(app: &App, request: &Request) -> String {
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else { return String::new() };
    if !app.settings.http.trusted_proxies.contains(&peer) {
        return peer.to_string();
    }
    let said = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let last =
        said.and_then(|said| said.rsplit(',').next()).and_then(|last| last.trim().parse::<IpAddr>().ok());
    last.unwrap_or(peer).to_string()
}
