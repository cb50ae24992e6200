//! Validated identifiers: a value of these types is well formed, and they are the only way to name a thing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Code, Refusal};

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                Uuid::parse_str(text).map(Self).map_err(|_| not_an_id(text))
            }
        }
    )* };
}

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident($raw:ty)),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub $raw);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

uuid_id! {
    /// An agency's own key; its credit code, name and alias may change, this never does.
    AgencyId,
    AccountId,
    RequestId,
    GrantId,
    SubscriptionId,
    WindowId,
    /// One attempt to publish (protocol.md 3).
    BatchId,
    EventId,
    QuarantineId,
    ConnectorId,
}

number_id! {
    /// One counter per deployment, never reused; topic names carry it.
    ResourceNumber(i64),
    GrantNumber(i64),
    Generation(i32),
    /// Confluent schema id: a positive int32.
    SchemaId(i32),
}

/// The public part of an API key: 8 base62 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 信息资源代码: class code, `/`, sequence (modelled on the 2017 catalog guide; domain.md 3.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceCode {
    class: ClassCode,
    sequence: i64,
}

/// 前段码: kind (1 digit, 1 to 3), group (2), family (3), leaf (any number of digits).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClassCode(String);

impl ClassCode {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 类: 1 base, 2 topic, 3 department.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0[..1]
    }

    /// 项
    #[must_use]
    pub fn group(&self) -> &str {
        &self.0[1..3]
    }

    /// 目
    #[must_use]
    pub fn family(&self) -> &str {
        &self.0[3..6]
    }

    /// 细目: what is left, perhaps nothing. Its own levels have no fixed width, so it is never cut.
    #[must_use]
    pub fn leaf(&self) -> &str {
        &self.0[6..]
    }
}

impl FromStr for ClassCode {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits && (6..=40).contains(&text.len()) && matches!(text.as_bytes()[0], b'1'..=b'3') {
            return Ok(Self(text.to_owned()));
        }
        Err(Refusal::new(
            Code::InvalidCode,
            format!("“{text}”不是信息资源分类代码:应为 6 位以上数字,首位 1 至 3"),
            format!("\"{text}\" is not a class code: 6 or more digits, the first 1 to 3"),
        ))
    }
}

impl TryFrom<String> for ClassCode {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<ClassCode> for String {
    fn from(code: ClassCode) -> Self {
        code.0
    }
}

impl ResourceCode {
    #[must_use]
    pub fn new(class: ClassCode, sequence: i64) -> Self {
        Self { class, sequence }
    }

    #[must_use]
    pub fn class(&self) -> &ClassCode {
        &self.class
    }

    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The form for paths and command lines: `-` instead of `/`.
    #[must_use]
    pub fn dashed(&self) -> String {
        format!("{}-{:06}", self.class.0, self.sequence)
    }
}

impl fmt::Display for ResourceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:06}", self.class.0, self.sequence)
    }
}

impl FromStr for ResourceCode {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad = || {
            Refusal::new(
                Code::InvalidCode,
                format!("“{text}”不是信息资源代码,例:3070220601/000001"),
                format!("\"{text}\" is not a resource code, such as 3070220601/000001"),
            )
        };
        let (class, sequence) = text.split_once(['/', '-']).ok_or_else(bad)?;
        let class = class.parse::<ClassCode>().map_err(|_| bad())?;
        let digits = !sequence.is_empty() && sequence.bytes().all(|b| b.is_ascii_digit());
        let sequence = if digits { sequence.parse().map_err(|_| bad())? } else { return Err(bad()) };
        Ok(Self { class, sequence })
    }
}

impl TryFrom<String> for ResourceCode {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<ResourceCode> for String {
    fn from(code: ResourceCode) -> Self {
        code.to_string()
    }
}

/// A short ASCII name of an agency, accepted wherever its credit code is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Alias {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(good) && text.as_bytes()[0].is_ascii_lowercase()
        {
            return Ok(Self(text.to_owned()));
        }
        Err(Refusal::new(
            Code::InvalidCode,
            format!("“{text}”不是机构别名:1 至 32 个小写字母、数字或“-”,以字母开头"),
            format!("\"{text}\" is not an alias: 1 to 32 of a-z, 0-9 and '-', a letter first"),
        ))
    }
}

impl TryFrom<String> for Alias {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

/// The code of a grant's purpose: 1 to 32 of a–z, 0–9 and `-`; the one word of a request that events quote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PurposeCode(String);

impl PurposeCode {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PurposeCode {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(good) {
            return Ok(Self(text.to_owned()));
        }
        Err(Refusal::new(
            Code::InvalidCode,
            "用途代码应为 1 至 32 个小写字母、数字或“-”",
            "a purpose code is 1 to 32 of a-z, 0-9 and '-'",
        ))
    }
}

impl TryFrom<String> for PurposeCode {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<PurposeCode> for String {
    fn from(code: PurposeCode) -> Self {
        code.0
    }
}

/// The name of a topic: made from numbers only, so it never holds a user's text (protocol.md 2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct TopicName(String);

impl TopicName {
    /// `ct.r.<number>`, from generation 2 on `ct.r.<number>.<generation>`.
    #[must_use]
    pub fn records(prefix: &str, number: ResourceNumber, generation: Generation) -> Self {
        if generation.0 == 1 {
            return Self(format!("{prefix}ct.r.{number}"));
        }
        Self(format!("{prefix}ct.r.{number}.{generation}"))
    }

    /// Whose topic of records a name is, if it is one.
    #[must_use]
    pub fn of_records(prefix: &str, name: &str) -> Option<(ResourceNumber, Generation)> {
        let numbers = name.strip_prefix(prefix)?.strip_prefix("ct.r.")?;
        let (number, generation) = numbers.split_once('.').unwrap_or((numbers, "1"));
        let (number, generation) =
            (ResourceNumber(number.parse().ok()?), Generation(generation.parse().ok()?));
        (Self::records(prefix, number, generation).0 == name).then_some((number, generation))
    }

    #[must_use]
    pub fn quarantine(prefix: &str, number: ResourceNumber) -> Self {
        Self(format!("{prefix}ct.q.{number}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn not_an_id(text: &str) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!("没有标识为“{text}”的对象"),
        format!("nothing has the id \"{text}\""),
    )
}

#[cfg(test)]
mod tests;
