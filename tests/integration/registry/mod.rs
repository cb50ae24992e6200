//! The Schema Registry from outside: over HTTP as docs/compatibility.md says, and as clients that others wrote use it.

mod access;
mod wire;

use crate::support::Reply;

/// An answer must be a refusal of that number, with its status and nothing but number and message.
#[track_caller]
fn refused(reply: &Reply, number: u16) -> String {
    let body = reply.json();
    assert_eq!(body["error_code"], number, "{}", reply.text);
    assert_eq!(reply.status.to_string(), number.to_string()[..3], "{}", reply.text);
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{}", reply.text);
    body["message"].as_str().unwrap_or_else(|| panic!("a message in {}", reply.text)).to_owned()
}
