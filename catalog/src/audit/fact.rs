//! What an event may hold: ids, enums, counts, digests and times. Nothing here takes free text, so personal data,
//! record content and secrets have no way in (protocol.md 9).

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use chrono::NaiveDate;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::jcs;
use crate::account::Roles;
use crate::clock::{Time, rfc3339};
use crate::error::{Code, Refusal};
use crate::visibility::Run;
use crate::{grant, ids, ports, registry, request, resource};

/// Hex SHA-256, 64 lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)))
    }

    /// The digest that stands in an event for a file or a text kept outside the log.
    pub fn of_file(file: &impl serde::Serialize) -> Result<Self, Refusal> {
        let bytes = serde_json::to_value(file).ok().and_then(|value| jcs::encode(&canonical(value)).ok());
        bytes.map(|bytes| Self::of(&bytes)).ok_or_else(|| {
            Refusal::new(Code::Internal, "无法计算文件摘要", "the file's digest cannot be computed")
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without nulls, and with numbers that canonical bytes do not have (of a default) as their texts.
fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) if jcs::encode(&Value::Number(number.clone())).is_err() => {
            Value::String(number.to_string())
        }
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, canonical(value))).collect())
        }
        Value::Array(values) => values.into_iter().map(canonical).collect(),
        other => other,
    }
}

/// The leaf of an event in the tree: hex SHA-256(0x00 || body).
#[must_use]
pub fn leaf_sha256(body: &[u8]) -> String {
    hex(&Sha256::new().chain_update([0]).chain_update(body).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl FromStr for Digest {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let good = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(good) {
            return Ok(Self(text.to_owned()));
        }
        Err(Refusal::new(
            Code::Invalid,
            "摘要应为 64 位小写十六进制的 SHA-256",
            "a digest is SHA-256 in 64 lower-case hex digits",
        ))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of the program, from its own build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build(pub &'static str);

/// One batch of a publish, never divided between events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: ids::BatchId,
    pub runs: Vec<Run>,
    /// Records published.
    pub n: i64,
}

/// A value that may stand in an event; `None` is left out.
pub(super) trait Fact {
    fn to_value(&self) -> Option<Value>;
    #[cfg(test)]
    fn sample() -> Self;
}

pub(super) fn put(object: &mut Map<String, Value>, name: &str, fact: &impl Fact) {
    if let Some(value) = fact.to_value() {
        object.insert(name.to_owned(), value);
    }
}

macro_rules! facts {
    ($($kind:ty: |$fact:ident| $value:expr, $sample:expr;)*) => { $(
        impl Fact for $kind {
            fn to_value(&self) -> Option<Value> {
                let $fact = self;
                Some(Value::from($value))
            }
            #[cfg(test)]
            fn sample() -> Self {
                $sample
            }
        }
    )* };
}

/// Enums say their word through serde, the same as in the API.
macro_rules! words {
    ($($kind:ty => $sample:expr;)*) => { $(
        impl Fact for $kind {
            fn to_value(&self) -> Option<Value> {
                serde_json::to_value(self).ok()
            }
            #[cfg(test)]
            fn sample() -> Self {
                $sample
            }
        }
    )* };
}

#[cfg(test)]
fn uuid(last: u128) -> Uuid {
    Uuid::from_u128(0x0197_8a3c_0000_7000_8000_0000_0000_0000 + last)
}

facts! {
    ids::AgencyId: |id| id.to_string(), Self(uuid(1));
    ids::AccountId: |id| id.to_string(), Self(uuid(2));
    ids::RequestId: |id| id.to_string(), Self(uuid(3));
    ids::GrantId: |id| id.to_string(), Self(uuid(4));
    ids::SubscriptionId: |id| id.to_string(), Self(uuid(5));
    ids::WindowId: |id| id.to_string(), Self(uuid(6));
    ids::BatchId: |id| id.to_string(), Self(uuid(7));
    ids::EventId: |id| id.to_string(), Self(uuid(8));
    ids::QuarantineId: |id| id.to_string(), Self(uuid(9));
    ids::ConnectorId: |id| id.to_string(), Self(uuid(10));
    Uuid: |id| id.to_string(), uuid(11);
    ids::ResourceNumber: |number| number.0, Self(12);
    ids::GrantNumber: |number| number.0, Self(34);
    ids::Generation: |number| number.0, Self(1);
    ids::SchemaId: |id| id.0, Self(7);
    ids::KeyId: |id| id.0.clone(), Self("k3yAbCd9".to_owned());
    ids::ResourceCode: |code| code.to_string(), "3070220601/000001".parse().unwrap();
    ids::TopicName: |name| name.as_str(), Self::records("", ids::ResourceNumber(12), ids::Generation(1));
    ids::PurposeCode: |code| code.as_str(), "delay-weather".parse().unwrap();
    Time: |time| rfc3339(*time), "2027-01-02T03:04:05.000006Z".parse().unwrap();
    NaiveDate: |date| date.to_string(), "2027-06-30".parse().unwrap();
    Digest: |digest| digest.as_str(), Self::of(b"golden");
    Build: |build| build.0, Self("0.1.0");
    Code: |code| code.as_str(), Self::RateLimited;
    bool: |truth| *truth, true;
    i32: |number| *number, 3;
    i64: |number| *number, 1000;
    Roles: |roles| roles.iter().map(|role| Value::from(role.as_str())).collect::<Vec<_>>(),
        [crate::account::Role::Editor, crate::account::Role::Reviewer].into_iter().collect();
    Run: |run| vec![Value::from(run.partition), run.first.into(), run.last.into()],
        Self { partition: 0, first: 0, last: 341 };
}

words! {
    grant::Cause => Self::PurposeDone;
    ports::CloseReason => Self::Count;
    registry::Mode => Self::ReadOnly;
    request::RefusalReason => Self::NotShareable;
    resource::Kind => Self::Table;
    resource::ShareType => Self::Conditional;
    super::ReadPhase => Self::Started;
    super::ConnectorState => Self::Running;
}

impl Fact for Batch {
    fn to_value(&self) -> Option<Value> {
        let mut object = Map::new();
        put(&mut object, "id", &self.id);
        put(&mut object, "runs", &self.runs);
        put(&mut object, "n", &self.n);
        Some(Value::Object(object))
    }

    #[cfg(test)]
    fn sample() -> Self {
        let runs = vec![Run { partition: 0, first: 0, last: 341 }, Run { partition: 2, first: 7, last: 664 }];
        Self { id: Fact::sample(), runs, n: 1000 }
    }
}

impl<T: Fact> Fact for Vec<T> {
    fn to_value(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(Fact::to_value).collect()))
    }

    #[cfg(test)]
    fn sample() -> Self {
        vec![T::sample()]
    }
}

impl<T: Fact> Fact for Option<T> {
    fn to_value(&self) -> Option<Value> {
        self.as_ref().and_then(Fact::to_value)
    }

    #[cfg(test)]
    fn sample() -> Self {
        Some(T::sample())
    }
}
