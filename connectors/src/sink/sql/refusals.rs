//! What the SQL sink refuses; a database's own message may quote values, so only its code is told.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};

pub(super) fn without_deletes() -> Refusal {
    Refusal::new(
        Code::DeletesForbidden,
        "该订阅不供删除行(deletes: false),表副本会保留本应消失的行;请改用文件,或换一个订阅",
        "the subscription has no delete lines (`deletes: false`), so a table would keep rows that are gone; use a file \
         sink or another subscription",
    )
}

pub(super) fn not_open() -> Refusal {
    Refusal::new(Code::Internal, "目标尚未打开", "the target is not open")
}

pub(super) fn taken_over() -> Refusal {
    Refusal::new(
        Code::Conflict,
        "另一个进程在写同一张表(changtong_cursor 的 epoch 或 cursor 已变),本批未写入",
        "somebody else writes to this table (epoch or cursor in changtong_cursor moved); this batch was not written",
    )
}

pub(super) fn not_ours(table: &str) -> Refusal {
    Refusal::new(
        Code::Conflict,
        format!("表 {table} 已存在,却不是本连接器的副本(缺少 _id 或 _k 列);请换一个表名"),
        format!("the table {table} exists and is not a copy of ours (no column _id or _k); name another"),
    )
    .with("path", "sink.sql.table")
}

pub(super) fn wrong_type(item: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("信息项 {item} 的值与派生模式的类型不符"),
        format!("a value of the item {item} is not of its type in the derived schema"),
    )
}

/// Whether the statement was done is not known; the cursor in the target tells the next attempt.
pub(super) fn silent(waited: Duration) -> Refusal {
    let seconds = waited.as_secs();
    Refusal::new(
        Code::StoreUnavailable,
        format!("目标数据库 {seconds} 秒没有应答,连接已放弃,稍后重试;请检查其主机与网络"),
        format!(
            "the target database has not answered for {seconds} seconds; the connection is given up and the batch tried \
             again: check its host and the network"
        ),
    )
}

/// Used with `map_err`.
pub(super) fn database(error: sqlx::Error) -> Refusal {
    let (zh, en) = match &error {
        sqlx::Error::Database(refused) => {
            let code = refused.code().unwrap_or_default().into_owned();
            (format!("拒绝了语句(代码 {code})"), format!("refused a statement (code {code})"))
        }
        sqlx::Error::Io(error) => {
            (format!("无法连接({})", error.kind()), format!("is out of reach ({})", error.kind()))
        }
        sqlx::Error::Tls(_) => ("TLS 连接失败".to_owned(), "failed to agree on TLS".to_owned()),
        sqlx::Error::Configuration(_) => ("地址有误".to_owned(), "has a wrong address".to_owned()),
        _ => ("通信出错".to_owned(), "broke off".to_owned()),
    };
    Refusal::new(
        Code::StoreUnavailable,
        format!("目标数据库{zh},本批未写入,稍后重试"),
        format!("the target database {en}; the batch was not written and is tried again"),
    )
}
