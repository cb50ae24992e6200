//! The closed list of codes that every error answers with, and the one error value rules return.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal $status:literal $retry:literal;)*) => {
        /// Every code, with its HTTP status. docs/errors.md is this list for people; a test compares the two.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])* $name),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in bodies, metrics and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// Whether the same call may succeed later without being changed.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retry),* }
            }

            /// What it means, for docs/errors.md and `title`.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*)),* }
            }
        }
    };
}

codes! {
    /// The request's form is wrong.
    BadRequest "bad_request" 400 false;
    /// A header is malformed or not allowed.
    BadHeader "bad_header" 400 false;
    /// The cursor was not made by this server for this subscription.
    CursorInvalid "cursor_invalid" 400 false;
    /// The grant has several purposes and the call names none.
    PurposeRequired "purpose_required" 400 false;
    /// No credential, or one that does not stand.
    Unauthenticated "unauthenticated" 401 false;
    /// The caller's role does not allow this.
    Forbidden "forbidden" 403 false;
    /// The same account wrote what it would approve.
    FourEyes "four_eyes" 403 false;
    /// The grant is suspended.
    GrantSuspended "grant_suspended" 403 false;
    /// The grant has expired.
    GrantExpired "grant_expired" 403 false;
    /// The grant was revoked.
    GrantRevoked "grant_revoked" 403 false;
    /// The purpose is not one of the grant's.
    PurposeNotGranted "purpose_not_granted" 403 false;
    /// The position lies before the grant's history.
    BeforeHistory "before_history" 403 false;
    /// The source position belongs to another account's connector.
    SourceForeign "source_foreign" 403 false;
    /// No such thing, or none the caller may see.
    NotFound "not_found" 404 false;
    /// The address exists, the method does not.
    MethodNotAllowed "method_not_allowed" 405 false;
    /// No representation the caller accepts.
    NotAcceptable "not_acceptable" 406 false;
    /// The request took too long to arrive.
    RequestTimeout "request_timeout" 408 true;
    /// A unique name or code is taken.
    Conflict "conflict" 409 false;
    /// The thing's state does not allow this.
    InvalidState "invalid_state" 409 false;
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress "idempotency_in_progress" 409 true;
    /// The source position named as `from` is not the stored one.
    SourcePosition "source_position" 409 false;
    /// The resource is suspended.
    ResourceSuspended "resource_suspended" 409 false;
    /// The resource is retired.
    ResourceRetired "resource_retired" 409 false;
    /// The resource is not published yet.
    ResourceNotPublished "resource_not_published" 409 false;
    /// A seek has replaced this cursor.
    CursorSuperseded "cursor_superseded" 409 false;
    /// The log lost acknowledged records; the resource stands still.
    LogRolledBack "log_rolled_back" 409 false;
    /// A topic of the wanted name exists and is not ours.
    TopicExists "topic_exists" 409 false;
    /// A file changed or shrank where it was already read.
    FileChanged "file_changed" 409 false;
    /// The connector waits for a confirmation.
    ConfirmRequired "confirm_required" 409 false;
    /// The view changed; begin a new copy at the cursor given.
    ViewChanged "view_changed" 410 false;
    /// The position is before the first record still kept.
    PositionExpired "position_expired" 410 false;
    /// Somebody changed it since it was read.
    PreconditionFailed "precondition_failed" 412 false;
    /// The body is larger than allowed.
    BodyTooLarge "body_too_large" 413 false;
    /// A record is larger than allowed.
    RecordTooLarge "record_too_large" 413 false;
    /// The batch has more records than allowed.
    BatchTooLarge "batch_too_large" 413 false;
    /// The body is larger than allowed once decompressed.
    DecompressedTooLarge "decompressed_too_large" 413 false;
    /// The address is longer than allowed.
    UriTooLong "uri_too_long" 414 false;
    /// The body's media type or content coding is not one we read.
    UnsupportedMediaType "unsupported_media_type" 415 false;
    /// A field of the body is wrong.
    Invalid "invalid" 422 false;
    /// A code (credit code, resource code, class code, alias) is wrong.
    InvalidCode "invalid_code" 422 false;
    /// The items do not make a schema.
    SchemaRejected "schema_rejected" 422 false;
    /// Records do not fit the schema.
    RecordsInvalid "records_invalid" 422 false;
    /// The filter is wrong.
    FilterInvalid "filter_invalid" 422 false;
    /// The resource is withheld from sharing.
    ResourceWithheld "resource_withheld" 422 false;
    /// The grant allows no delete lines.
    DeletesForbidden "deletes_forbidden" 422 false;
    /// The idempotency key was used with another body.
    IdempotencyKeyReused "idempotency_key_reused" 422 false;
    /// A file cannot be read: missing, not of its encoding, or not of its format.
    FileUnreadable "file_unreadable" 422 false;
    /// A path leaves the declared root.
    PathOutsideRoot "path_outside_root" 422 false;
    /// An update must name the version it changes (`If-Match`).
    PreconditionRequired "precondition_required" 428 false;
    /// A rate is used up for the moment.
    RateLimited "rate_limited" 429 true;
    /// A quota is used up for the day.
    QuotaExceeded "quota_exceeded" 429 true;
    /// The headers are larger than allowed.
    HeadersTooLarge "headers_too_large" 431 false;
    /// A fault of the server.
    Internal "internal" 500 true;
    /// The broker does not answer or refuses.
    BrokerUnavailable "broker_unavailable" 503 true;
    /// The database does not answer or refuses.
    StoreUnavailable "store_unavailable" 503 true;
    /// A disk is full.
    StorageFull "storage_full" 503 true;
    /// Whether it was done is not known; the same idempotency key will tell.
    OutcomeUnknown "outcome_unknown" 503 true;
    /// Other writers cut the batch into too many runs.
    BatchScattered "batch_scattered" 503 true;
    /// The attempt came too late to count.
    AttemptTooLate "attempt_too_late" 503 true;
    /// Another server holds the database.
    AnotherServerActive "another_server_active" 503 true;
    /// The store is older than the log; `reconcile` must decide.
    StoreOlderThanLog "store_older_than_log" 503 false;
    /// Store time jumped.
    ClockSkew "clock_skew" 503 true;
    /// The server is shutting down.
    ShuttingDown "shutting_down" 503 true;
    /// Too much at once; come back later.
    Overloaded "overloaded" 503 true;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

impl Text {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// Why something was not done: what happened, where, what to do. It becomes the problem body, the event's code and
/// the metric's label.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: Code,
    pub text: Text,
    /// Further members of the problem body (`limit`, `used`, `invalid`, `next`, …).
    pub extra: Map<String, Value>,
    pub retry_after: Option<Duration>,
}

impl Refusal {
    pub fn new(code: Code, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, text: Text::new(zh, en), extra: Map::new(), retry_after: None }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    #[must_use]
    pub fn not_found(what_zh: &str, what_en: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("没有这个{what_zh},或者您无权查看:请核对编号,以及所用的账号"),
            format!("no such {what_en}, or none you may see: check its code or id, and as whom you ask"),
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text.en)
    }
}

impl std::error::Error for Refusal {}
