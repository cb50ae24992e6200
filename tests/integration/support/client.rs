//! A plain HTTP caller: no retries, no comfort, so that tests see what the server says.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    key: Option<String>,
    http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Client {
    pub fn new(base: String, key: Option<String>) -> Self {
        // Nothing of the machine's proxies may come between.
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { base, key, http }
    }

    /// A caller of the same server with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same caller, of another server.
    pub fn to(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same caller, from that address of this machine.
    pub fn at(&self, address: &str) -> Self {
        let address: std::net::IpAddr = address.parse().expect("an address");
        let http = reqwest::Client::builder().no_proxy().local_address(address).build().expect("a client");
        Self { http, ..self.clone() }
    }

    /// Its key, for callers that write their requests byte by byte.
    pub fn key(&self) -> &str {
        self.key.as_deref().expect("a caller with a key")
    }

    /// A request below the root.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.request_in("en", method, path)
    }

    /// One whose refusal is told in that language.
    pub fn request_in(&self, language: &str, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        let request =
            self.http.request(method, format!("{}{path}", self.base)).header("accept-language", language);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request("get", path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.request("post", path).json(&body)).await
    }

    /// Publishes lines of NDJSON.
    pub async fn publish(&self, code: &str, lines: &[Value]) -> Reply {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let request = self.request("post", &format!("/api/v1/resources/{code}/records"));
        Reply::of(request.header("content-type", "application/x-ndjson").body(body)).await
    }
}

impl Reply {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::from(request.send().await.expect("an answer")).await
    }

    /// `None` where no whole answer came: the server died.
    pub async fn if_any(request: RequestBuilder) -> Option<Self> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Self { status, headers, text: response.text().await.ok()? })
    }

    async fn from(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the whole answer");
        Self { status, headers, text }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of a problem, empty if the answer is none.
    pub fn code(&self) -> String {
        let json = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        json["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The document of an answer that must be of this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The lines of an NDJSON answer.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text);
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.text.lines().map(line).collect()
    }
}
