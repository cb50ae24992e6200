//! The file sink: the deliveries themselves, in order, as NDJSON or CSV (`id`, `op`, `k`, `published_at`, then the
//! granted items; a stream has no `op` and `k`).
//!
//! Lines are appended and put on disk; then a mark beside the file (`NAME.changtong`), replaced by an atomic rename,
//! says how long the file is and which cursor stands behind its last line. What a crash left behind that length is cut
//! off at the next start and comes again, so no line is lost or doubled. A new view, or a reset, begins the file anew.
//!
//! CSV follows RFC 4180; null is an empty field, an empty text is `""`. A text that begins with `=`, `+`, `-` or `@`
//! stays what it is: this is data for programs; import it as text where a spreadsheet would take it for a formula.

mod mark;
mod render;

#[cfg(test)]
mod tests;

use std::io::{Seek as _, SeekFrom, Write as _};

use async_trait::async_trait;
use cap_std::fs::{File, OpenOptions};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SubscriptionId;
use serde::Deserialize;

use super::{Batch, Op, Sink, Written};
use crate::bus::Subscribed;
use crate::root::{Root, plain, unreadable};
use mark::Mark;
use render::Renderer;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSinkFormat {
    Csv,
    Ndjson,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSinkSpec {
    /// Below `connectors.root`.
    pub path: String,
    pub format: FileSinkFormat,
}

impl FileSinkSpec {
    pub fn check(&self) -> Result<(), Refusal> {
        plain(&self.path).map(drop)
    }
}

pub struct FileSink {
    spec: FileSinkSpec,
    root: Root,
    open: Option<Open>,
}

struct Open {
    file: File,
    renderer: Renderer,
    mark: Mark,
}

impl FileSink {
    pub fn new(spec: FileSinkSpec, root: Root) -> Result<Self, Refusal> {
        spec.check()?;
        root.check(&spec.path)?;
        Ok(Self { spec, root, open: None })
    }
}

impl Open {
    fn at(
        root: &Root,
        path: &str,
        renderer: Renderer,
        subscription: SubscriptionId,
        resets: i32,
    ) -> Result<Self, Refusal> {
        let how = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = root.open_with(path, &how)?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let mut mark = Mark::load(root, path)?;
        if !mark.continues(subscription, resets, renderer.columns()) {
            if mark.subscription.is_none() && length > 0 {
                return Err(not_ours(path));
            }
            mark = Mark::begin(subscription, resets, renderer.columns());
            mark.store(root, path)?;
        }
        if mark.cursor.is_some() && length < mark.length {
            return Err(shrank(path, mark.length, length));
        }
        Ok(Self { file, renderer, mark })
    }

    /// The lines as they stand in the file, with a header where it begins.
    fn render(&self, batch: &Batch<'_>, begins: bool) -> Result<(Vec<u8>, Written), Refusal> {
        let (mut out, mut written) = (Vec::new(), Written::default());
        if begins {
            self.renderer.header(&mut out);
        }
        for line in batch.lines {
            self.renderer.line(line, &mut out)?;
            match line.op {
                Some(Op::Delete) => written.deletes += 1,
                Some(Op::Upsert) | None => written.upserts += 1,
            }
        }
        Ok((out, written))
    }

    /// Puts bytes behind what counts, then says that they count.
    fn put(
        &mut self,
        root: &Root,
        path: &str,
        out: &[u8],
        next: String,
        begins: bool,
    ) -> Result<(), Refusal> {
        if begins {
            // The old lines go only after nothing refers to them any more.
            self.mark.cursor = None;
            self.mark.length = 0;
            self.mark.store(root, path)?;
        }
        let failed = |error| unreadable(path, &error);
        self.file.set_len(self.mark.length).map_err(failed)?;
        self.file.seek(SeekFrom::Start(self.mark.length)).map_err(failed)?;
        self.file.write_all(out).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        self.mark.length += out.len() as u64;
        self.mark.cursor = Some(next);
        self.mark.store(root, path)
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn open(&mut self, subscribed: &Subscribed, resets: i32) -> Result<Option<String>, Refusal> {
        let renderer = Renderer::new(self.spec.format, subscribed);
        let (root, path, subscription) = (self.root.clone(), self.spec.path.clone(), subscribed.id);
        let opening =
            tokio::task::spawn_blocking(move || Open::at(&root, &path, renderer, subscription, resets));
        let open = opening.await.map_err(|_| not_open())??;
        let held = open.mark.cursor.clone();
        self.open = Some(open);
        Ok(held)
    }

    async fn apply(&mut self, batch: &Batch<'_>) -> Result<Written, Refusal> {
        // Given back only if all went well.
        let mut open = self.open.take().ok_or_else(not_open)?;
        let begins = batch.begins || open.mark.cursor.is_none();
        let (out, written) = open.render(batch, begins)?;
        let (root, path, next) = (self.root.clone(), self.spec.path.clone(), batch.next.to_owned());
        let writing = tokio::task::spawn_blocking(move || {
            open.put(&root, &path, &out, next, begins)?;
            Ok::<_, Refusal>(open)
        });
        self.open = Some(writing.await.map_err(|_| not_open())??);
        Ok(written)
    }
}

fn not_open() -> Refusal {
    Refusal::new(Code::Internal, "目标尚未打开", "the target is not open")
}

fn not_ours(path: &str) -> Refusal {
    Refusal::new(
        Code::Conflict,
        format!("文件 {path} 已有内容,且不是本连接器所写;请换一个文件名或移走它"),
        format!(
            "the file {path} has content that this connector did not write; name another or move it away"
        ),
    )
    .with("path", path)
}

fn shrank(path: &str, marked: u64, found: u64) -> Refusal {
    Refusal::new(
        Code::FileChanged,
        format!("文件 {path} 变短了:应有 {marked} 字节,现有 {found};请恢复它,或停止后重置该连接器"),
        format!(
            "the file {path} shrank: {marked} bytes were written, {found} are there; put it back, or stop and reset \
             the connector"
        ),
    )
    .with("path", path)
}
