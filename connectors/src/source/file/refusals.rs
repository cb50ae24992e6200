//! What a file source refuses, naming file and line and never their content.

use changtong_catalog::error::{Code, Refusal};

pub(super) fn fault() -> Refusal {
    Refusal::new(Code::Internal, "读取文件的任务意外结束", "the task that reads files ended unexpectedly")
}

pub(super) fn truncated(label: &str, read: u64, size: u64) -> Refusal {
    Refusal::new(
        Code::FileChanged,
        format!("文件 {label} 变短了:已读 {read} 字节,现有 {size} 字节;请恢复原文件,或停止后重置该连接器"),
        format!(
            "the file {label} shrank: {read} bytes were read, {size} are there; put it back, or stop and reset the \
             connector"
        ),
    )
    .with("path", label)
}

pub(super) fn changed(label: &str, read: u64) -> Refusal {
    Refusal::new(
        Code::FileChanged,
        format!("文件 {label} 已读的前 {read} 字节被改动;append 方式只接受追加。请恢复原文件,或停止后重置该连接器"),
        format!(
            "the first {read} bytes of the file {label}, read already, were changed; `append` takes appended lines \
             only: put the file back, or stop and reset the connector"
        ),
    )
    .with("path", label)
}

pub(super) fn moving(label: &str) -> Refusal {
    Refusal::new(
        Code::FileChanged,
        format!("文件 {label} 在读取时被改动;请以改名(rename)方式放入完整的文件"),
        format!("the file {label} changed while it was read; put whole files in place by renaming them"),
    )
    .with("path", label)
}

pub(super) fn unfinished(label: &str, line: u64) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("文件 {label} 的末行(第 {line} 行起)没有换行符,可能仍在写入;replace 方式只读取完整的文件"),
        format!(
            "the last line of the file {label} (from line {line}) has no line end, it may still be being written; \
             `replace` reads whole files only"
        ),
    )
    .with("path", label)
}

pub(super) fn undecodable(label: &str, line: u64) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("文件 {label} 第 {line} 行不是所设编码的文本;请检查 encoding(utf-8 或 gb18030)"),
        format!(
            "line {line} of the file {label} is not text of its encoding; check `encoding` (utf-8 or gb18030)"
        ),
    )
    .with("path", label)
    .with("line", line)
}

pub(super) fn unparsable(label: &str, line: u64) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("文件 {label} 第 {line} 行无法按其格式读取"),
        format!("line {line} of the file {label} cannot be read as its format"),
    )
    .with("path", label)
    .with("line", line)
}

pub(super) fn too_long(label: &str, line: u64, most: usize) -> Refusal {
    Refusal::new(
        Code::RecordTooLarge,
        format!("文件 {label} 自第 {line} 行起的记录超过 {most} 字节(可能缺一个引号)"),
        format!("the record at line {line} of the file {label} has over {most} bytes (a missing quote?)"),
    )
    .with("path", label)
    .with("line", line)
}

pub(super) fn no_such_column(label: &str, column: usize) -> Refusal {
    Refusal::new(
        Code::Invalid,
        format!("文件 {label} 表头第 {column} 列既不是信息项名,也不是其标题;请在 columns 中对应,或列入 ignore"),
        format!(
            "column {column} of the header of {label} is neither the name nor the title of an item; map it in \
             `columns` or name it in `ignore`"
        ),
    )
    .with("path", label)
}

pub(super) fn not_our_position(label: &str) -> Refusal {
    Refusal::new(
        Code::SourcePosition,
        format!("{label} 的已存位置不是本版本、本方式(mode)写下的;如已更改方式,请停止后重置该连接器"),
        format!(
            "the stored position of {label} is not of this mode; after a change of mode, stop and reset the connector"
        ),
    )
}

pub(super) fn streams_have_no_state() -> Refusal {
    Refusal::new(
        Code::Invalid,
        "流资源没有“当前状态”,不能用 replace 方式",
        "a stream has no state, so `replace` does not fit it",
    )
    .with("path", "source.file.mode")
}

/// A file that would delete more than it may; `asks` names what a confirmation allows.
pub(super) fn confirm(label: &str, deletes: u64, rows: u64, digest: &str) -> Refusal {
    Refusal::new(
        Code::ConfirmRequired,
        format!("文件 {label} 将删除 {rows} 行中的 {deletes} 行,超过 max_deletes;确认无误后请执行 connector confirm"),
        format!(
            "the file {label} would delete {deletes} of {rows} rows, more than max_deletes allows; if that is right, \
             confirm it"
        ),
    )
    .with("path", label)
    .with("deletes", deletes)
    .with("rows", rows)
    .with("asks", digest)
}

/// A file that comes before the one that was read last: what it holds is no newer state.
pub(super) fn earlier(label: &str, last: &str, deletes: u64, rows: u64, digest: &str) -> Refusal {
    Refusal::new(
        Code::ConfirmRequired,
        format!(
            "文件 {label} 排在已读过的全量文件 {last} 之前:发布它会把资源退回较早的状态,并删除 {rows} 行中的 \
             {deletes} 行。请放入更新的文件;确要退回,请执行 connector confirm"
        ),
        format!(
            "the file {label} comes before {last}, which was read already: it would take the resource back to an earlier \
             state and delete {deletes} of {rows} rows. Put a newer file there; if going back is right, confirm it"
        ),
    )
    .with("path", label)
    .with("deletes", deletes)
    .with("rows", rows)
    .with("asks", digest)
}

/// A record that does not fit, by file and line; `index` counts within its batch.
pub(super) fn bad_record(label: &str, line: u64, path: &str, reason: &str) -> Refusal {
    Refusal::new(
        Code::RecordsInvalid,
        format!("文件 {label} 第 {line} 行不符合模式:{path} {reason}"),
        format!("line {line} of the file {label} does not fit the schema: {path} {reason}"),
    )
    .with("path", label)
    .with("line", line)
}

/// A container file that is none, or is cut off or damaged.
pub(super) fn container(label: &str, refusal: &Refusal) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("文件 {label}:{}", refusal.text.zh),
        format!("the file {label}: {}", refusal.text.en),
    )
    .with("path", label)
}

pub(super) fn bad_block(label: &str, at: u64) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("容器文件 {label} 第 {at} 字节处的数据块有误,文件已损坏"),
        format!("the block at byte {at} of the container file {label} is none: the file is damaged"),
    )
    .with("path", label)
}

pub(super) fn long_block(label: &str, at: u64, most: u64) -> Refusal {
    Refusal::new(
        Code::RecordTooLarge,
        format!("容器文件 {label} 第 {at} 字节处的数据块超过 {most} 字节;请以较小的数据块(sync interval)写入"),
        format!(
            "the block at byte {at} of the container file {label} has over {most} bytes; write it with smaller blocks \
             (sync interval)"
        ),
    )
    .with("path", label)
}

/// No publish takes all of it, and a block is never divided.
pub(super) fn full_block(label: &str, at: u64, most: usize) -> Refusal {
    Refusal::new(
        Code::RecordTooLarge,
        format!("容器文件 {label} 第 {at} 字节处的数据块多于 {most} 条记录;请以较小的数据块(sync interval)写入"),
        format!(
            "the block at byte {at} of the container file {label} has over {most} records; write it with smaller blocks \
             (sync interval)"
        ),
    )
    .with("path", label)
}

pub(super) fn long_head(label: &str, most: usize) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("容器文件 {label} 的文件头超过 {most} 字节,或已损坏"),
        format!("the head of the container file {label} has over {most} bytes, or is damaged"),
    )
    .with("path", label)
}
