//! Whether a schema would break readers or writers of those that stand under a subject.

mod all;
mod one;

use axum::Json;
use serde_json::{Value, json};

pub use all::all;
pub use one::one;

use super::asked::Asked;

fn told(asked: &Asked, messages: &[String]) -> Json<Value> {
    let compatible = messages.is_empty();
    Json(if asked.flag("verbose") {
        json!({ "is_compatible": compatible, "messages": messages })
    } else {
        json!({ "is_compatible": compatible })
    })
}
