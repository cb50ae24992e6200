//! What a member of a group is told when it is refused.

use std::time::Duration;

use crate::error::{Code, Refusal};

/// How long a publisher waits before a new attempt: longer than a group commit.
const SOON: Duration = Duration::from_secs(1);

pub(super) fn too_late() -> Refusal {
    Refusal::new(
        Code::AttemptTooLate,
        "本次写入到达得太晚,其位置已经封存,未发布;请用同一 Idempotency-Key 重试",
        "this attempt came too late, its offsets are final; nothing was published, retry with the same Idempotency-Key",
    )
    .retry_after(SOON)
}

/// A fault of the program: the border and the log let no such attempt in.
pub(super) fn malformed() -> Refusal {
    tracing::error!("an attempt with impossible runs, fingerprint or key reached the store");
    Refusal::new(
        Code::Internal,
        "服务器内部错误:写入的位置或标识不成立,未发布",
        "a fault of the server: the attempt's offsets or identifiers are impossible; nothing was published",
    )
}

pub(super) fn no_credential() -> Refusal {
    Refusal::new(
        Code::Unauthenticated,
        "密钥已失效:已撤销、已过期,或其账号、机构已停用",
        "the key does not stand any more: revoked, expired, or its account or agency is suspended",
    )
}

pub(super) fn source_foreign() -> Refusal {
    Refusal::new(
        Code::SourceForeign,
        "这个来源位置属于另一个账号的连接器;请换一个连接器名",
        "this source position belongs to another account's connector; choose another connector name",
    )
}

pub(in crate::store) fn not_waiting() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "这条隔离记录已经重放或丢弃",
        "this quarantined record was replayed or discarded already",
    )
}

/// The position itself is for the caller alone: of a table it may be the key of a row, and texts are logged.
pub(super) fn source_position(stored: &str) -> Refusal {
    Refusal::new(
        Code::SourcePosition,
        "来源位置不是所写的起点;请从 position 继续",
        "the source does not stand where the request says; go on from `position`",
    )
    .with("position", stored)
}

pub(super) fn grant_changed(version: i32) -> Refusal {
    Refusal::new(
        Code::PreconditionFailed,
        "授权条款刚刚变更;请重新读取后再试",
        "the terms of the grant have just changed; read again",
    )
    .with("version", version)
}

pub(super) fn view_changed() -> Refusal {
    Refusal::new(
        Code::ViewChanged,
        "视图已变更(授权条款或数据代次);请从新视图的起点重新建立副本",
        "the view changed (the grant's terms or the generation): begin a new copy at the new view's first cursor",
    )
}

pub(super) fn superseded(seek_count: i32) -> Refusal {
    Refusal::new(
        Code::CursorSuperseded,
        "这个游标已被一次 seek 取代;请从当前位置继续",
        "a seek has replaced this cursor; go on from the current position",
    )
    .with("seek_count", seek_count)
}

pub(super) fn foreign_cursor() -> Refusal {
    Refusal::new(Code::CursorInvalid, "游标与该订阅不符", "the cursor does not fit this subscription")
}

pub(super) fn bad_digest() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "digest 应为 64 位小写十六进制的 SHA-256",
        "digest is SHA-256 in 64 lower-case hex digits",
    )
    .with("field", "digest")
}
