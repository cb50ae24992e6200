//! One event: who, when, what, and the exact bytes that are stored, hashed and sealed.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::code::{EventCode, What};
use super::fact::{leaf_sha256, put};
use super::jcs::{self, NotCanonical};
use crate::account::Caller;
use crate::clock::{Time, to_micros};
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, AgencyId, EventId, GrantId, KeyId, ResourceNumber};

/// The most bytes a body may have.
pub const LIMIT: usize = 8 * 1024;

/// The version of the body's form.
const FORM: i32 = 1;

/// Who did it, and how that was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An account by one of its API keys.
    Key { agency: AgencyId, account: AccountId, key: KeyId },
    /// The server itself: its jobs, its start, its first account.
    Server,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self::Key { agency: caller.agency, account: caller.account, key: caller.key.clone() }
    }
}

impl Actor {
    fn to_value(&self) -> Value {
        let mut object = Map::new();
        match self {
            Self::Key { agency, account, key } => {
                put(&mut object, "agency", agency);
                put(&mut object, "account", account);
                put(&mut object, "key", key);
                object.insert("by".to_owned(), "api_key".into());
            }
            Self::Server => {
                object.insert("by".to_owned(), "server".into());
            }
        }
        Value::Object(object)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub at: Time,
    pub actor: Actor,
    pub what: What,
}

/// Why an event has no bytes: a fault of the program, never of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    #[error("the event {code} has {bytes} bytes, more than {LIMIT}")]
    TooLarge { code: &'static str, bytes: usize },
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl From<Unencodable> for Refusal {
    fn from(error: Unencodable) -> Self {
        Self::new(
            Code::Internal,
            format!("审计事件无法写成规范字节:{error}"),
            format!("an audit event has no canonical bytes: {error}"),
        )
    }
}

/// What the store finds an event by; read again from the body by `reconcile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    pub id: String,
    pub at: String,
    pub code: String,
    pub agency: Option<String>,
    pub account: Option<String>,
    pub resource: Option<ResourceNumber>,
    pub grant: Option<GrantId>,
}

impl Projection {
    /// From a stored body; `None` if it is not an event's.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Value>(body).ok().and_then(|value| Self::of(value.as_object()?))
    }

    fn of(object: &Map<String, Value>) -> Option<Self> {
        let text = |object: &Map<String, Value>, name: &str| {
            object.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        let actor = object.get("actor").and_then(Value::as_object)?;
        Some(Self {
            id: text(object, "id")?,
            at: text(object, "at")?,
            code: text(object, "code")?,
            agency: text(actor, "agency"),
            account: text(actor, "account"),
            resource: object.get("resource").and_then(Value::as_i64).map(ResourceNumber),
            grant: text(object, "grant").and_then(|grant| grant.parse().ok()),
        })
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub id: EventId,
    /// The UTC day of `at`: with `id` the row's key.
    pub day: NaiveDate,
    pub at: Time,
    pub code: EventCode,
    /// The actor's agency and account; none of the server's own events.
    pub agency: Option<AgencyId>,
    pub account: Option<AccountId>,
    pub resource: Option<ResourceNumber>,
    pub grant: Option<GrantId>,
    pub body: Vec<u8>,
    pub leaf_sha256: String,
}

impl Event {
    pub fn new(id: EventId, at: Time, actor: impl Into<Actor>, what: impl Into<What>) -> Self {
        Self { id, at: to_micros(at), actor: actor.into(), what: what.into() }
    }

    #[must_use]
    pub fn code(&self) -> EventCode {
        self.what.code()
    }

    #[must_use]
    pub fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }

    pub(super) fn to_object(&self) -> Map<String, Value> {
        let mut object = Map::new();
        self.what.put(&mut object);
        put(&mut object, "v", &FORM);
        put(&mut object, "id", &self.id);
        put(&mut object, "at", &self.at);
        object.insert("code".to_owned(), self.code().as_str().into());
        object.insert("actor".to_owned(), self.actor.to_value());
        object
    }

    /// The canonical bytes, at most `LIMIT`, and what the store finds them by.
    pub fn encode(&self) -> Result<Encoded, Unencodable> {
        let object = self.to_object();
        let found_by = Projection::of(&object);
        let body = jcs::encode(&Value::Object(object))?;
        if body.len() > LIMIT {
            return Err(Unencodable::TooLarge { code: self.code().as_str(), bytes: body.len() });
        }
        let (agency, account) = match &self.actor {
            Actor::Key { agency, account, .. } => (Some(*agency), Some(*account)),
            Actor::Server => (None, None),
        };
        Ok(Encoded {
            id: self.id,
            day: self.day(),
            at: self.at,
            code: self.code(),
            agency,
            account,
            resource: found_by.as_ref().and_then(|projection| projection.resource),
            grant: found_by.and_then(|projection| projection.grant),
            leaf_sha256: leaf_sha256(&body),
            body,
        })
    }
}
