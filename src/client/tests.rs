//! The client against a server that answers what it is told to.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{CallError, Client};

/// Answers one connection after the other; gives back the idempotency keys that came.
async fn server(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        let mut keys = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let (mut head, mut piece) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = connection.read(&mut piece).await.unwrap();
                head.extend_from_slice(&piece[..read]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            keys.push(key.unwrap_or_default().trim().to_owned());
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
        keys
    });
    (url, answering)
}

const DONE: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\netag: \"3\"\r\n\r\n{\"a\": 1}";
const LATER: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 48\r\nconnection: close\r\n\r\n\
    {\"code\": \"store_unavailable\", \"detail\": \"later\"}";
const NEVER: &str = "HTTP/1.1 422 Unprocessable\r\ncontent-length: 35\r\nconnection: close\r\n\r\n\
    {\"code\": \"invalid\", \"detail\": \"no\"}";
/// A connection that breaks off: whether it was done is not known.
const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 800\r\nconnection: close\r\n\r\n{";

#[tokio::test]
async fn a_passing_refusal_and_a_lost_answer_are_tried_again_with_the_same_key() {
    let (url, answering) = server(vec![LATER, BROKEN, DONE]).await;
    let written = Client::new(&url, "ctk_x", "en").unwrap().post("/things", &json!({})).await.unwrap();
    assert_eq!(
        (written.status, written.etag.as_deref(), &written.body["a"]),
        (200, Some("\"3\""), &json!(1))
    );
    let keys = answering.await.unwrap();
    assert_eq!(keys.len(), 3);
    assert!(!keys[0].is_empty() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test]
async fn two_writes_have_two_keys() {
    let (url, answering) = server(vec![DONE, DONE]).await;
    let client = Client::new(&url, "ctk_x", "en").unwrap();
    client.post("/things", &json!({})).await.unwrap();
    client.put("/things/1", "\"1\"", &json!({})).await.unwrap();
    let keys = answering.await.unwrap();
    assert!(keys[0] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn a_refusal_for_good_is_given_back_at_once() {
    let (url, answering) = server(vec![NEVER]).await;
    let error = Client::new(&url, "ctk_x", "en").unwrap().post("/things", &json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some("invalid"), "invalid: no"));
    assert_eq!(answering.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_never_answered_is_not_waited_for_where_one_is_expected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url, "ctk_x", "en").unwrap().with_patience(Duration::from_secs(3600));
    let error = client.expecting_a_server().get("/things").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn patience_ends() {
    let (url, answering) = server(vec![LATER]).await;
    let client = Client::new(&url, "ctk_x", "en").unwrap().with_patience(Duration::ZERO);
    let error = client.get("/things").await.unwrap_err();
    assert_eq!(error.code(), Some("store_unavailable"));
    answering.await.unwrap();
}
