//! A file's records as JSON lines. Each is weighed first; what was weighed is put together anew, in pieces, and these
//! apache-avro reads.

use apache_avro::Reader;
use changtong_catalog::error::{Code, Refusal};

use super::super::super::body::{BodyLimits, malformed, too_large};
use super::super::cursor::Broken;
use super::super::file::{Block, Layout, behind_records};
use super::super::schema::rejected;
use super::super::window::{Inflated, Window};
use super::super::write::{NO_MARKER, head, put_block};
use super::Known;
use super::json::Shown;
use super::weigh::{self, Unfit, weigh};

/// Of a file on one's own machine. Blocks are inflated piece by piece, so that a whole file may be of any size.
const LIMITS: BodyLimits =
    BodyLimits { records: usize::MAX, record_bytes: 16 << 20, decompressed: usize::MAX, ratio: 100 };
/// Bytes of records that are read at once.
const PIECE: usize = 64 << 10;
/// Records of one block that take no bytes: of others there are no more than bytes.
const MOST_EMPTY: u64 = 1 << 16;

/// Gives the line of each record to `take`, at most so many; how many there were. What lies before something wrong is
/// shown.
pub fn show(
    file: &[u8],
    most: u64,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<u64, Refusal> {
    // Whatever a length inside a value says that only apache-avro knows of.
    apache_avro::util::max_allocation_bytes(weigh::MOST);
    let mut layout = Layout::of(file)?;
    let known = Known::read(layout.schema())?;
    let head = head(known.text.as_bytes(), NO_MARKER);
    let mut shown = Showing { known: &known, head, piece: Vec::new(), records: 0, shown: 0, most, take };
    let (mut inflated, mut room) = (Inflated::default(), |_: u64| Ok(()));
    while shown.wants_more() {
        let Some(block) = layout.block()? else { break };
        let data = &file[block.data.clone()];
        let mut window = Window::new(layout.codec, data, &LIMITS, &mut inflated, &mut room);
        let weighed = shown.block(&block, &mut window);
        shown.piece()?;
        weighed?;
    }
    Ok(shown.shown)
}

struct Showing<'s> {
    known: &'s Known,
    head: Vec<u8>,
    /// Records that are weighed and not read yet.
    piece: Vec<u8>,
    records: u64,
    shown: u64,
    most: u64,
    take: &'s mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
}

impl Showing<'_> {
    fn index(&self) -> u64 {
        self.shown + self.records
    }

    fn wants_more(&self) -> bool {
        self.index() < self.most
    }

    fn block(&mut self, block: &Block, window: &mut Window<'_, '_>) -> Result<(), Refusal> {
        let schema = &self.known.ours;
        if schema.is_empty(schema.top) && block.records > MOST_EMPTY {
            return Err(too_many_empty(block));
        }
        for _ in 0..block.records {
            if !self.wants_more() {
                return Ok(());
            }
            let length = self.weigh(window)?;
            self.piece.extend_from_slice(&window.bytes()[..length]);
            window.pass(length);
            self.records += 1;
            if self.piece.len() >= PIECE {
                self.piece()?;
            }
        }
        if window.is_done()? { Ok(()) } else { Err(behind_records(block)) }
    }

    /// Bytes of the next record.
    fn weigh(&self, window: &mut Window<'_, '_>) -> Result<usize, Refusal> {
        loop {
            match weigh(&self.known.ours, window.bytes()) {
                Ok(length) => return Ok(length),
                Err(Unfit::Heavy) => return Err(too_heavy(self.index())),
                Err(Unfit::Broken(Broken::Short)) if window.is_full() => {
                    let index = usize::try_from(self.index()).unwrap_or(usize::MAX);
                    return Err(too_large(index, window.bytes().len(), LIMITS.record_bytes));
                }
                Err(Unfit::Broken(Broken::Short)) if window.more()? => {}
                Err(Unfit::Broken(broken)) => {
                    let why = broken.text();
                    return Err(undecodable(self.index(), &why.zh, &why.en));
                }
            }
        }
    }

    /// Reads and gives away what was weighed.
    fn piece(&mut self) -> Result<(), Refusal> {
        let mut file = self.head.clone();
        put_block(std::mem::take(&mut self.records), &self.piece, NO_MARKER, &mut file);
        self.piece.clear();
        let unread = |error: apache_avro::Error| {
            let error = error.to_string();
            rejected("", &error, &error)
        };
        for value in Reader::new(&file[..]).map_err(unread)? {
            let index = self.shown;
            let value = value.map_err(|error| error.to_string());
            let value = value.map_err(|why| undecodable(index, &why, &why))?;
            let shown = Shown { schema: &self.known.ours, id: self.known.ours.top, value: &value };
            let line = serde_json::to_vec(&shown).map_err(|error| error.to_string());
            let line = line.map_err(|why| undecodable(index, &why, &why))?;
            (self.take)(&line)?;
            self.shown += 1;
        }
        Ok(())
    }
}

/// The text of a file's schema as it stands there, in lines.
pub fn schema_text(file: &[u8]) -> Result<String, Refusal> {
    let layout = Layout::of(file)?;
    Known::read(layout.schema())?;
    Ok(in_lines(&String::from_utf8_lossy(layout.schema())))
}

/// A JSON text with its members in their order, each on a line of its own.
fn in_lines(text: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let mut all = text.chars().peekable();
    while let Some(letter) = all.next() {
        if quoted {
            out.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            letter if letter.is_whitespace() => {}
            '"' => {
                quoted = true;
                out.push('"');
            }
            '{' | '[' => {
                depth += 1;
                out.push(letter);
                while all.next_if(|next| next.is_whitespace()).is_some() {}
                if all.peek().is_some_and(|next| !matches!(next, '}' | ']')) {
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !out.ends_with(['{', '[']) {
                    line(&mut out, depth);
                }
                out.push(letter);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => out.push(other),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

fn undecodable(index: u64, zh: &str, en: &str) -> Refusal {
    Refusal::new(
        Code::RecordUndecodable,
        format!("第 {index} 条记录(从 0 数起)无法按文件的模式解码:{zh}"),
        format!("record {index} (counted from 0) cannot be decoded by the file's schema: {en}"),
    )
    .with("index", index)
}

fn too_heavy(index: u64) -> Refusal {
    let most = weigh::MOST >> 20;
    Refusal::new(
        Code::RecordTooLarge,
        format!("第 {index} 条记录(从 0 数起)的各个值共需超过 {most} MiB 内存"),
        format!("the values of record {index} (counted from 0) take more than {most} MiB of memory"),
    )
    .with("index", index)
}

fn too_many_empty(block: &Block) -> Refusal {
    malformed(
        format!(
            "第 {} 字节处的数据块有 {} 条不占字节的记录,至多 {MOST_EMPTY}",
            block.whole.start, block.records
        ),
        format!(
            "the block at byte {} has {} records that take no bytes, at most {MOST_EMPTY} are shown",
            block.whole.start, block.records
        ),
    )
}
