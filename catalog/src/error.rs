//! The closed list of codes that every error answers with, and the one error value rules return.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal $status:literal $retry:literal $zh:literal;)*) => {
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

            /// The same in Chinese.
            #[must_use]
            pub const fn title_zh(self) -> &'static str {
                match self { $(Self::$name => $zh),* }
            }
        }
    };
}

codes! {
    /// The request's form is wrong.
    BadRequest "bad_request" 400 false "请求格式有误。";
    /// A header is malformed or not allowed.
    BadHeader "bad_header" 400 false "请求头有误或不被允许。";
    /// The cursor was not made by this server for this subscription.
    CursorInvalid "cursor_invalid" 400 false "游标不是本服务为该订阅给出的。";
    /// The grant has several purposes and the call names none.
    PurposeRequired "purpose_required" 400 false "授权有多个用途,而调用没有写明。";
    /// No credential, or one that does not stand.
    Unauthenticated "unauthenticated" 401 false "没有凭证,或凭证无效。";
    /// The caller's role does not allow this.
    Forbidden "forbidden" 403 false "调用方的角色不允许。";
    /// The same account wrote what it would approve.
    FourEyes "four_eyes" 403 false "审核的与编制的是同一账号。";
    /// The grant is suspended.
    GrantSuspended "grant_suspended" 403 false "授权已暂停。";
    /// The grant has expired.
    GrantExpired "grant_expired" 403 false "授权已到期。";
    /// The grant was revoked.
    GrantRevoked "grant_revoked" 403 false "授权已撤销。";
    /// The authority suspended it; only the authority lets it go on.
    SuspendedByAuthority "suspended_by_authority" 403 false "由主管部门暂停,只能由主管部门恢复。";
    /// The purpose is not one of the grant's.
    PurposeNotGranted "purpose_not_granted" 403 false "用途不在授权的用途之中。";
    /// The position lies before the grant's history.
    BeforeHistory "before_history" 403 false "位置早于授权可读的历史。";
    /// The source position belongs to another account's connector.
    SourceForeign "source_foreign" 403 false "该来源位置属于另一账号的连接器。";
    /// No such thing, or none the caller may see.
    NotFound "not_found" 404 false "没有,或调用方无权查看。";
    /// The address exists, the method does not.
    MethodNotAllowed "method_not_allowed" 405 false "地址存在,但不支持该方法。";
    /// No representation the caller accepts.
    NotAcceptable "not_acceptable" 406 false "没有调用方接受的表示形式。";
    /// The request took too long to arrive.
    RequestTimeout "request_timeout" 408 true "请求到达过慢。";
    /// A unique name or code is taken.
    Conflict "conflict" 409 false "唯一的名称或代码已被占用。";
    /// The thing's state does not allow this.
    InvalidState "invalid_state" 409 false "所处状态不允许。";
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress "idempotency_in_progress" 409 true "使用该幂等键的第一次请求仍在处理。";
    /// The source position named as `from` is not the stored one.
    SourcePosition "source_position" 409 false "from 与已存的来源位置不符。";
    /// The resource is suspended.
    ResourceSuspended "resource_suspended" 409 false "信息资源已暂停。";
    /// The agency that provides the resource is suspended.
    ProviderSuspended "provider_suspended" 409 false "提供信息资源的机构已停用。";
    /// The grant has as many subscriptions as it may.
    SubscriptionsFull "subscriptions_full" 409 false "授权的订阅数已达上限。";
    /// The resource is retired.
    ResourceRetired "resource_retired" 409 false "信息资源已退出目录。";
    /// The resource is not published yet.
    ResourceNotPublished "resource_not_published" 409 false "信息资源尚未发布。";
    /// A seek has replaced this cursor.
    CursorSuperseded "cursor_superseded" 409 false "位置已被重设,此游标作废。";
    /// The log lost acknowledged records; the resource stands still.
    LogRolledBack "log_rolled_back" 409 false "日志丢失了已确认的记录,该资源停用。";
    /// The resource is being copied into a new generation.
    NewGenerationRunning "new_generation_running" 409 true "该信息资源正在复制到新一代主题。";
    /// The new generation would leave out records that lie in the log.
    LeftOut "left_out" 409 false "新一代将略去日志中仍有的记录。";
    /// The new schema breaks readers, records or grants.
    SchemaIncompatible "schema_incompatible" 409 false "新模式与已有的读取方、记录或授权不兼容。";
    /// A topic of the wanted name exists and is not ours.
    TopicExists "topic_exists" 409 false "同名主题已存在,且不属于本系统。";
    /// The table has a newer record of the key.
    NewerRecord "newer_record" 409 false "数据表中该主键已有更新的记录。";
    /// A file changed or shrank where it was already read.
    FileChanged "file_changed" 409 false "文件在已读过的部分发生了变化或变短。";
    /// The connector waits for a confirmation.
    ConfirmRequired "confirm_required" 409 false "连接器等待确认。";
    /// The view changed; begin a new copy at the cursor given.
    ViewChanged "view_changed" 410 false "授权所见已变化,须从给出的游标重做副本。";
    /// The position is before the first record still kept.
    PositionExpired "position_expired" 410 false "该位置早于仍保留的第一条记录。";
    /// Somebody changed it since it was read.
    PreconditionFailed "precondition_failed" 412 false "读取之后已被他人修改。";
    /// The body is larger than allowed.
    BodyTooLarge "body_too_large" 413 false "请求体超过上限。";
    /// A record is larger than allowed.
    RecordTooLarge "record_too_large" 413 false "有记录超过上限。";
    /// The batch has more records than allowed.
    BatchTooLarge "batch_too_large" 413 false "一批的记录数超过上限。";
    /// The body is larger than allowed once decompressed.
    DecompressedTooLarge "decompressed_too_large" 413 false "解压后超过上限。";
    /// The address is longer than allowed.
    UriTooLong "uri_too_long" 414 false "地址超过上限。";
    /// The body's media type or content coding is not one we read.
    UnsupportedMediaType "unsupported_media_type" 415 false "请求体的媒体类型或压缩方式不受支持。";
    /// A field of the body is wrong.
    Invalid "invalid" 422 false "请求体中有字段有误。";
    /// A code (credit code, resource code, class code, alias) is wrong.
    InvalidCode "invalid_code" 422 false "代码(信用代码、资源代码、分类代码、别名)有误。";
    /// The items, or a file's own schema, do not make a schema that is taken.
    SchemaRejected "schema_rejected" 422 false "信息项不能构成模式,或文件自带的模式不被接受。";
    /// A record of a container file cannot be decoded by the file's own schema.
    RecordUndecodable "record_undecodable" 422 false "容器文件中有记录无法按文件自带的模式解码。";
    /// Records do not fit the schema.
    RecordsInvalid "records_invalid" 422 false "有记录不符合模式。";
    /// The filter is wrong.
    FilterInvalid "filter_invalid" 422 false "过滤条件有误。";
    /// The resource is withheld from sharing.
    ResourceWithheld "resource_withheld" 422 false "信息资源不予共享。";
    /// The grant allows no delete lines.
    DeletesForbidden "deletes_forbidden" 422 false "授权不允许删除行。";
    /// The idempotency key was used with another body.
    IdempotencyKeyReused "idempotency_key_reused" 422 false "该幂等键已用于另一请求体。";
    /// A file cannot be read: missing, not of its encoding, or not of its format.
    FileUnreadable "file_unreadable" 422 false "文件无法读取:不存在,或编码、格式不符。";
    /// A path leaves the declared root.
    PathOutsideRoot "path_outside_root" 422 false "路径超出声明的根文件夹。";
    /// An update must name the version it changes (`If-Match`).
    PreconditionRequired "precondition_required" 428 false "修改须指明所改的版本(If-Match)。";
    /// A rate is used up for the moment.
    RateLimited "rate_limited" 429 true "速率暂时用尽。";
    /// Too much of one address, account or agency is being served at once.
    TooManyAtOnce "too_many_at_once" 429 true "同一地址、账号或机构同时进行的过多。";
    /// A quota is used up for the day.
    QuotaExceeded "quota_exceeded" 429 true "当日配额用尽。";
    /// The headers are larger than allowed.
    HeadersTooLarge "headers_too_large" 431 false "请求头超过上限。";
    /// A fault of the server.
    Internal "internal" 500 true "服务器内部错误。";
    /// The broker does not answer or refuses.
    BrokerUnavailable "broker_unavailable" 503 true "消息代理没有应答或拒绝了请求。";
    /// The database does not answer or refuses.
    StoreUnavailable "store_unavailable" 503 true "数据库没有应答或拒绝了请求。";
    /// A disk is full.
    StorageFull "storage_full" 503 true "磁盘已满。";
    /// Whether it was done is not known; the same idempotency key will tell.
    OutcomeUnknown "outcome_unknown" 503 true "是否完成尚不可知,以同一幂等键重发即知。";
    /// Other writers cut the batch into too many runs.
    BatchScattered "batch_scattered" 503 true "其他写入把本批切成了过多的段。";
    /// The attempt came too late to count.
    AttemptTooLate "attempt_too_late" 503 true "写入过慢,未能计入。";
    /// Another server holds the database.
    AnotherServerActive "another_server_active" 503 true "另一服务器正占用数据库。";
    /// The store is older than the log; `reconcile` must decide.
    StoreOlderThanLog "store_older_than_log" 503 false "数据库比日志旧,须由 reconcile 判定。";
    /// Store time jumped.
    ClockSkew "clock_skew" 503 true "数据库时间跳变。";
    /// The server is shutting down.
    ShuttingDown "shutting_down" 503 true "服务正在停止。";
    /// The server does not answer (said by a connector in its own process).
    ServerUnreachable "server_unreachable" 503 true "服务器没有应答(由独立进程中的连接器报告)。";
    /// Too much at once; come back later.
    Overloaded "overloaded" 503 true "同时处理的过多。";
}

impl Code {
    /// The code of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
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
