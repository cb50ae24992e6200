//! The Schema Registry from outside: over HTTP as docs/compatibility.md says, and as clients that others wrote use it.

mod access;
mod aliases;
mod bench;
mod clients;
mod parameters;
mod resources;
mod surface;
mod wire;

use serde_json::{Value, json};

use crate::support::{Client, Reply};

/// A record of these fields, written as it is kept, as the body that registers it.
fn record(fields: &str) -> Value {
    let schema =
        format!(r#"{{"type":"record","name":"Observation","namespace":"weather","fields":[{fields}]}}"#);
    json!({ "schema": schema })
}

/// One field.
fn one() -> Value {
    record(r#"{"name":"station","type":"string"}"#)
}

/// One more, which readers of the one do without.
fn two() -> Value {
    record(r#"{"name":"station","type":"string"},{"name":"temp","type":["null","double"],"default":null}"#)
}

/// One more that nobody can do without.
fn wrong() -> Value {
    record(r#"{"name":"station","type":"string"},{"name":"hour","type":"int"}"#)
}

async fn put(client: &Client, path: &str, body: Value) -> Reply {
    Reply::of(client.request("put", path).json(&body)).await
}

async fn delete(client: &Client, path: &str) -> Reply {
    Reply::of(client.request("delete", path)).await
}

/// Registers and answers the id.
#[track_caller]
fn id_of(reply: &Reply) -> i64 {
    reply.expect(200)["id"].as_i64().unwrap_or_else(|| panic!("an id in {}", reply.text))
}

/// An answer must be a refusal of that number, with its status and nothing but number and message.
#[track_caller]
fn refused(reply: &Reply, number: u16) -> String {
    let body = reply.json();
    assert_eq!(body["error_code"], number, "{}", reply.text);
    assert_eq!(reply.status.to_string(), number.to_string()[..3], "{}", reply.text);
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{}", reply.text);
    body["message"].as_str().unwrap_or_else(|| panic!("a message in {}", reply.text)).to_owned()
}
