//! An item (信息项) and the Avro type its type letter means (domain.md 2.4).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mask::Mask;

/// 数据类型, by the letters that platforms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ItemType {
    /// 字符型
    C,
    /// 数值型
    N,
    /// 货币型
    Y,
    /// 日期型
    D,
    /// 日期时间型
    T,
    /// 逻辑型
    L,
    /// 备注型
    M,
    /// 通用型
    G,
    /// 双精度型
    B,
    /// 整型
    I,
    /// 浮点型
    F,
}

/// The Avro type behind an item, without its nullability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AvroType {
    String,
    Int,
    Long,
    Float,
    Double,
    Boolean,
    Bytes,
    Decimal { precision: u32, scale: u32 },
    Date,
    TimestampMillis,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Avro field name.
    pub name: String,
    pub title: String,
    #[serde(rename = "type")]
    pub kind: ItemType,
    #[serde(default)]
    pub nullable: bool,
    /// 分级, 1 to 4.
    #[serde(default = "lowest_grade")]
    pub grade: u8,
    /// C and M: most characters; I: most digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// N and Y: digits in all, at most 38.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// N and Y: digits behind the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// The values allowed (C only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The least mask that every consumer gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// What readers are shown where the version of a record had no such item: a value as records have it in JSON. Without,
    /// it is null where it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Names under which earlier versions had it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

fn lowest_grade() -> u8 {
    1
}

impl Item {
    /// Its names to a reader of earlier versions, in the order in which they count.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }

    #[must_use]
    pub fn avro(&self) -> AvroType {
        match self.kind {
            ItemType::C | ItemType::M => AvroType::String,
            ItemType::N | ItemType::Y => {
                AvroType::Decimal { precision: self.precision.unwrap_or(38), scale: self.scale.unwrap_or(0) }
            }
            ItemType::D => AvroType::Date,
            ItemType::T => AvroType::TimestampMillis,
            ItemType::L => AvroType::Boolean,
            ItemType::G => AvroType::Bytes,
            ItemType::B => AvroType::Double,
            ItemType::F => AvroType::Float,
            ItemType::I if self.length.is_some_and(|digits| digits <= 9) => AvroType::Int,
            ItemType::I => AvroType::Long,
        }
    }
}
