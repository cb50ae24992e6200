//! Values that a column holds as text: JSON documents and the words of closed lists. U+0000 ends here: PostgreSQL
//! cannot keep it, so neither engine may.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::internal;
use crate::error::{Code, Refusal};

/// A document as JSON text.
pub(super) fn to_json<T: Serialize>(document: &T) -> Result<String, Refusal> {
    let value = serde_json::to_value(document).map_err(|_| internal())?;
    if holds_nul(&value) {
        return Err(refuse_nul());
    }
    Ok(value.to_string())
}

/// A document that this store wrote.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        tracing::error!(line = error.line(), column = error.column(), "a stored document cannot be read");
        internal()
    })
}

/// The word of a closed list, such as a state.
pub(super) fn to_word<T: Serialize>(value: &T) -> Result<String, Refusal> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(internal()),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Result<T, Refusal> {
    serde_json::from_value(Value::String(word)).map_err(|_| {
        tracing::error!("a stored word is not of its list");
        internal()
    })
}

/// A text for a column of its own.
pub(super) fn checked(text: &str) -> Result<&str, Refusal> {
    if text.contains('\0') { Err(refuse_nul()) } else { Ok(text) }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

pub(super) fn refuse_nul() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "文本含有 U+0000 字符,不能保存;请去掉后重试",
        "a text contains the character U+0000, which cannot be kept; remove it and retry",
    )
}
