//! Reading a subscription: lines as they were delivered, and the cursor behind them.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Client, header};
use super::problem::CallError;

/// One read asked for.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub subscription: String,
    pub cursor: Option<String>,
    pub limit: Option<u64>,
    pub max_bytes: Option<u64>,
    pub wait: Duration,
    pub purpose: Option<String>,
}

/// Its answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Record lines, each with its line end.
    pub lines: Bytes,
    pub next: String,
    pub window: Option<String>,
    pub digest: Option<String>,
}

#[derive(Deserialize)]
struct LastLine {
    next: String,
    window: Option<String>,
    digest: Option<String>,
}

impl Answered {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }
}

impl Client {
    /// One read. A connection that ends before the last line is an error: nothing of it may be taken as received.
    pub async fn deliver(&self, reading: &Reading) -> Result<Answered, CallError> {
        let body = self.page(reading).await?;
        split(&body).ok_or_else(|| self.cut_off())
    }

    /// The same as it came, the last line included.
    pub async fn page(&self, reading: &Reading) -> Result<Bytes, CallError> {
        self.whole(self.reading(reading)).await
    }

    fn reading(&self, reading: &Reading) -> RequestBuilder {
        let mut query: Vec<(&str, String)> = vec![("wait", format!("{}s", reading.wait.as_secs()))];
        query.extend(reading.cursor.clone().map(|cursor| ("cursor", cursor)));
        query.extend(reading.limit.map(|limit| ("limit", limit.to_string())));
        query.extend(reading.max_bytes.map(|bytes| ("max_bytes", bytes.to_string())));
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("/subscriptions/{}/records?{}", reading.subscription, query.join("&"));
        let mut call = self.request(Method::GET, &path);
        if let Some(purpose) = &reading.purpose {
            call = call.header("Changtong-Purpose", purpose);
        }
        call
    }

    /// One read as a container file, and what may be acknowledged once it is kept. A file that breaks off is an error.
    pub async fn deliver_file(&self, reading: &Reading) -> Result<(Bytes, Answered), CallError> {
        let answer = self.reading(reading).header("Accept", "application/avro").send().await;
        let answer = self.refused(answer.map_err(|error| self.unreachable(&error))?).await?;
        let told = |name: &str| header(&answer, name);
        let (window, digest) = (told("changtong-window"), told("changtong-digest"));
        let next = told("changtong-next").ok_or_else(|| self.cut_off())?;
        let file = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok((file, Answered { lines: Bytes::new(), next, window, digest }))
    }

    /// An answer of lines to its end.
    async fn whole(&self, call: RequestBuilder) -> Result<Bytes, CallError> {
        let answer = call.send().await.map_err(|error| self.unreachable(&error))?;
        let answer = self.refused(answer).await?;
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if split(&body).is_none() {
            return Err(self.cut_off());
        }
        Ok(body)
    }

    fn cut_off(&self) -> CallError {
        CallError::Broken(format!("{} ended an answer before its last line", self.url()))
    }

    /// One page of an owner's reading of its own resource.
    pub async fn read_own(&self, code: &str, cursor: Option<&str>) -> Result<Answered, CallError> {
        split(&self.own_page(code, cursor).await?).ok_or_else(|| self.cut_off())
    }

    /// The same as it came, the last line included.
    pub async fn own_page(&self, code: &str, cursor: Option<&str>) -> Result<Bytes, CallError> {
        let query = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        self.whole(self.request(Method::GET, &format!("/resources/{code}/records{query}"))).await
    }

    /// A long answer of lines, piece by piece; a connection that breaks is an error in the stream.
    pub async fn lines(
        &self,
        path: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, CallError>> + use<>, CallError> {
        let call = self.request(Method::GET, path).header("Accept", "application/x-ndjson");
        let answer = call.send().await.map_err(|error| self.unreachable(&error))?;
        let answer = self.refused(answer).await?;
        let client = self.clone();
        Ok(answer.bytes_stream().map_err(move |error| client.unreachable(&error)))
    }

    /// Says what was received up to `answered.next`.
    pub async fn acknowledge(&self, subscription: &str, answered: &Answered) -> Result<Value, CallError> {
        let body = json!({"next": answered.next, "window": answered.window, "digest": answered.digest});
        Ok(self.post(&format!("/subscriptions/{subscription}/acks"), &body).await?.body)
    }
}

fn split(body: &Bytes) -> Option<Answered> {
    let whole = body.strip_suffix(b"\n")?;
    let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last: LastLine = serde_json::from_slice(&whole[start..]).ok()?;
    Some(Answered { lines: body.slice(..start), next: last.next, window: last.window, digest: last.digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_cursor_and_must_be_whole() {
        let body = Bytes::from_static(
            b"{\"id\":\"1.0.0\"}\n{\"id\":\"1.0.1\"}\n{\"next\":\"c\",\"window\":\"w\",\"digest\":\"d\"}\n",
        );
        let answered = split(&body).unwrap();
        assert_eq!(answered.records().count(), 2);
        assert_eq!((answered.next.as_str(), answered.window.as_deref()), ("c", Some("w")));
        assert!(split(&body.slice(..body.len() - 1)).is_none());
        assert!(split(&Bytes::from_static(b"{\"id\":\"1.0.0\"}\n")).is_none());
        assert!(split(&Bytes::from_static(b"{\"next\":\"c\"}\n")).unwrap().is_empty());
    }
}
