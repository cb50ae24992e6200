//! The frame around every handler: request id, limits of the head, the caller's language, metrics and the log line. The
//! only place that has a refusal's body written, so nothing refused goes uncounted.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::account::Caller;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::store::{Asker, Places, asked_by};
use changtong_connectors::gate::Budget;
use futures::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use super::problem::{Language, Problem};
use super::shares::{CallerShare, Holding, Shares};
use crate::app::App;

/// How a surface writes a refusal: in the caller's language, with the request's id.
pub type Render = fn(&Refusal, Language, &str) -> Response;

/// Names the request in the answer, in the log and as `instance` of a problem.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Under which name the line of each request is logged.
const ACCESS: &str = "changtong::access";

/// The connection's other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Where a request truly comes from: the connection's other end, or whom a trusted proxy names.
#[derive(Debug, Clone, Copy)]
pub struct Source(pub IpAddr);

/// Where the extractor of callers leaves whom it recognised, for the frame, and with it the caller's share of what is
/// served at once.
#[derive(Debug, Clone, Default)]
pub struct Recognised(Arc<Recognition>);

#[derive(Debug, Default)]
struct Recognition {
    caller: OnceLock<Caller>,
    share: OnceLock<CallerShare>,
}

impl Recognised {
    /// Only the first extractor of a request sets it; a second one would recognise the same caller.
    pub fn set(&self, caller: &Caller, shares: &Shares) -> Result<(), Refusal> {
        if self.0.caller.set(caller.clone()).is_ok() {
            let _ = self.0.share.set(shares.of_caller(caller)?);
        }
        Ok(())
    }

    fn asker(&self) -> Arc<dyn Asker> {
        self.0.clone()
    }

    fn caller(&self) -> Option<&Caller> {
        self.0.caller.get()
    }
}

impl Asker for Recognition {
    fn places(&self) -> &[Places] {
        self.share.get().map_or(&[], CallerShare::places)
    }
}

/// What a body of this request takes its bytes from: its caller's part.
pub fn budget(extensions: &Extensions, app: &App) -> Budget {
    let share = extensions.get::<Recognised>().and_then(|recognised| recognised.0.share.get());
    share.map_or(app.gate.budget(), CallerShare::bytes).clone()
}

pub async fn frame(
    State((app, render)): State<(Arc<App>, Render)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = app.ids.uuid(app.clock.now()).to_string();
    let language = Language::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| *peer);
    let from = peer.map(|peer| source(&app, peer, request.headers()));
    if let Some(from) = from {
        request.extensions_mut().insert(Source(from));
    }
    let recognised = Recognised::default();
    request.extensions_mut().insert(recognised.clone());

    let _running = app.metrics.http.begin();
    let admitted = check_head(&app, &request).and_then(|()| match (peer, from) {
        // Of its own connection each address has its share already.
        (Some(peer), Some(from)) if peer != from => app.shares.of_address(from).map(Some),
        _ => Ok(None),
    });
    let (mut response, share) = match admitted {
        Ok(share) => (asked_by(recognised.asker(), answered(next.run(request))).await, share),
        Err(refusal) => (Problem::from(refusal).into_response(), None),
    };
    let code = match response.extensions_mut().remove::<Problem>() {
        Some(Problem(refusal)) => {
            response = render(&refusal, language, &id);
            app.refused(recognised.caller(), refusal.code);
            refusal.code.as_str()
        }
        None => "",
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    app.metrics.http.answered(&route, method.as_str(), response.status().as_u16(), code, took);
    let account = recognised.caller().map(|caller| caller.account.to_string()).unwrap_or_default();
    let from = from.map(|from| from.to_string()).unwrap_or_default();
    // Who did what from where, for those who look into it later: no event holds an address.
    tracing::info!(
        target: ACCESS, request = %id, %method, route, status = response.status().as_u16(), code, account, from,
        took_ms = took.as_millis(), "answered"
    );
    // An answer that is still being read holds its shares.
    response.map(|body| Body::new(Holding { body, asker: recognised.asker(), _address: share }))
}

/// Whoever asked is told of a fault of ours as of any other refusal.
async fn answered(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        Problem::from(Refusal::new(
            Code::Internal,
            "服务器内部错误,已记入日志;请以同一请求重试,仍然失败时请把 instance 告知运维人员",
            "a fault of the server, which its log holds; send the same request again, and tell the operator the \
             instance if it fails again",
        ))
        .into_response()
    })
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
        .with("value", limits.uri.0)
        .with("actual", uri));
    }
    let size = size_of(request.headers());
    if size > limits.headers.0 {
        return Err(Refusal::new(
            Code::HeadersTooLarge,
            format!("请求头共 {size} 字节,超过 {} 字节", limits.headers.0),
            format!("the headers have {size} bytes, more than {}", limits.headers.0),
        )
        .with("limit", "http.headers")
        .with("value", limits.headers.0)
        .with("actual", size));
    }
    Ok(())
}

fn size_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The true other end: what a proxy says counts only if the proxy is one of ours.
fn source(app: &App, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !app.settings.http.trusted_proxies.contains(&peer) {
        return peer;
    }
    // Of several lines the last is the one that the proxy wrote.
    let said = headers.get_all("x-forwarded-for").into_iter().next_back();
    let last = said.and_then(|said| said.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}
