//! The gate's own refusals, in both languages.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::TopicName;

pub(super) fn no_resource() -> Refusal {
    Refusal::not_found("信息资源", "resource")
}

pub(super) fn no_subscription() -> Refusal {
    Refusal::not_found("订阅", "subscription")
}

pub(super) fn no_records() -> Refusal {
    Refusal::new(Code::Invalid, "请求体中没有记录", "the body holds no records")
}

pub(super) fn log_rolled_back() -> Refusal {
    Refusal::new(
        Code::LogRolledBack,
        "日志丢失了已确认的记录,该信息资源停用;请提供方审核员执行 changtong resource new-generation 找回仍在的记录",
        "the log lost acknowledged records and the resource stands still; its reviewer brings back what is still there by \
         `changtong resource new-generation`",
    )
}

pub(super) fn nothing_published() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "该信息资源尚未发布过记录,没有主题可换代;首次发布时按 log.partitions 建立",
        "nothing was published yet, so there is no topic to replace; the first publish makes it with log.partitions",
    )
}

pub(super) fn log_silent(topic: &TopicName) -> Refusal {
    Refusal::new(
        Code::BrokerUnavailable,
        format!("日志未能如实答复主题 {topic} 的内容,请稍后重试"),
        format!("the log did not answer for what topic {topic} holds; try again later"),
    )
    .retry_after(Duration::from_secs(2))
}

pub(super) fn too_late() -> Refusal {
    Refusal::new(
        Code::AttemptTooLate,
        "本批写入过慢,其位置已被判为无效,未发布,请用同一幂等键重试",
        "the batch came too late, its offsets were declared dead; nothing was published, retry with the same \
         idempotency key",
    )
    .retry_after(Duration::from_secs(1))
}

pub(super) fn in_progress() -> Refusal {
    Refusal::new(
        Code::IdempotencyInProgress,
        "使用此幂等键的第一次请求仍在处理中,请稍后重试",
        "the first request with this idempotency key is still running; come back later",
    )
    .retry_after(Duration::from_secs(1))
}

pub(super) fn bad_header(name: &str, zh: &str, en: &str) -> Refusal {
    Refusal::new(Code::BadHeader, format!("请求头 {name}:{zh}"), format!("header {name}: {en}"))
        .with("header", name)
}

pub(super) fn source_moved(stored: &str) -> Refusal {
    Refusal::new(
        Code::SourcePosition,
        "来源位置与已存位置不符,请从 position 继续",
        "`from` is not the stored position of this source; go on from `position`",
    )
    .with("position", stored)
}

pub(super) fn source_foreign() -> Refusal {
    Refusal::new(
        Code::SourceForeign,
        "这个来源位置属于另一个账号的连接器;请换一个连接器名",
        "this source position belongs to another account's connector; choose another connector name",
    )
}

pub(super) fn fault() -> Refusal {
    Refusal::new(Code::Internal, "服务器内部错误", "a fault of the server")
}

pub(super) fn cursor_foreign() -> Refusal {
    Refusal::new(
        Code::CursorInvalid,
        "游标不属于此订阅:请使用该订阅自己的 next,或不带游标读取",
        "the cursor does not belong to this subscription: use a `next` of its own, or no cursor",
    )
}

/// What a caller named as `from` is none of the words, no time and no cursor.
pub(super) fn no_place() -> Refusal {
    Refusal::new(
        Code::CursorInvalid,
        "from 应为 start、end、RFC 3339 时间,或本服务应答中的 next",
        "`from` is start, end, a time in RFC 3339, or the `next` of an answer of this service",
    )
    .with("path", "from")
}

pub(super) fn superseded() -> Refusal {
    Refusal::new(
        Code::CursorSuperseded,
        "订阅的位置已被重设(seek),此前的游标作废;请不带游标读取",
        "a seek has replaced the position, older cursors are void; read without a cursor",
    )
}

pub(super) fn view_changed(next: String) -> Refusal {
    Refusal::new(
        Code::ViewChanged,
        "授权所见已变化,原有副本作废;请清空副本,从 next 重新读取",
        "what the grant shows has changed; empty the copy and begin anew at `next`",
    )
    .with("next", next)
}

pub(super) fn before_history() -> Refusal {
    Refusal::new(
        Code::BeforeHistory,
        "位置早于授权可读的历史:请从 start 读起",
        "the position lies before the history that the grant allows: begin at `start`",
    )
}

pub(super) fn expired(next: String) -> Refusal {
    Refusal::new(
        Code::PositionExpired,
        "该位置的记录已超过保存期限;最早可读位置见 next",
        "the records at this position have left retention; the first position still there is in `next`",
    )
    .with("next", next)
}

pub(super) fn windows_late() -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "数据库记下窗口所用的时间超过窗口本身,请稍后重试",
        "the store takes longer to commit a window than the window lasts; come back later",
    )
    .retry_after(Duration::from_secs(1))
}

pub(super) fn window_foreign() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "window 不是此订阅的窗口:请原样使用应答末行给出的 window",
        "`window` is not a window of this subscription: use the one of the answer's last line unchanged",
    )
    .with("path", "window")
}

pub(super) fn slow_reader() -> Refusal {
    Refusal::new(
        Code::RequestTimeout,
        "读取过慢,窗口已在一条记录中间结束,请从上次的 next 重读",
        "the reader was too slow: the window ended within a record; read again from the last `next`",
    )
}

pub(super) fn ended() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "供数已被终止:授权、密钥、账号、机构或资源的状态已变化",
        "the delivery was ended: the state of the grant, key, account, agency or resource has changed",
    )
}

pub(super) fn topic_not_ours() -> Refusal {
    Refusal::new(
        Code::TopicExists,
        "隔离主题已存在且不属于本系统",
        "the quarantine topic exists and is not ours",
    )
}

pub(super) fn not_waiting() -> Refusal {
    Refusal::new(
        Code::InvalidState,
        "这条隔离记录已经重放或丢弃",
        "this quarantined record was replayed or discarded already",
    )
}

pub(super) fn gone() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "这条隔离记录的原文已不在日志中(已过保存期限,或其主题被删除、更换或恢复到较早的时候);\
         请以更正后的记录重放,或丢弃它",
        "the bytes of this quarantined record are no longer in the log (past their retention, or its topic was deleted, \
         replaced or put back older): replay it with a corrected record, or discard it",
    )
}
