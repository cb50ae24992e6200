//! One value for a column, from a delivered line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::error::Refusal;
use changtong_catalog::resource::AvroType;
use serde_json::Value;

use super::refusals::wrong_type;
use crate::bus::GrantedItem;

/// A null keeps its type: PostgreSQL asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(Option<String>),
    Int(Option<i64>),
    Float(Option<f64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }

    /// An item's value; an absent one is null.
    pub fn of(item: &GrantedItem, value: Option<&Value>) -> Result<Self, Refusal> {
        let value = value.filter(|value| !value.is_null());
        let wrong = || wrong_type(&item.name);
        Ok(match item.avro {
            AvroType::String | AvroType::Decimal { .. } | AvroType::Date | AvroType::TimestampMillis => {
                Self::Text(
                    value.map(|value| value.as_str().ok_or_else(wrong)).transpose()?.map(str::to_owned),
                )
            }
            AvroType::Int | AvroType::Long => {
                Self::Int(value.map(|value| value.as_i64().ok_or_else(wrong)).transpose()?)
            }
            AvroType::Float | AvroType::Double => {
                Self::Float(value.map(|value| value.as_f64().ok_or_else(wrong)).transpose()?)
            }
            AvroType::Boolean => {
                Self::Bool(value.map(|value| value.as_bool().ok_or_else(wrong)).transpose()?)
            }
            AvroType::Bytes => {
                let decode = |value: &Value| {
                    value.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(wrong)
                };
                Self::Bytes(value.map(decode).transpose()?)
            }
        })
    }
}
