//! Guesses a resource file from data: item types, lengths, nulls and what may be the key, each with the reason, for a
//! person to finish (`changtong resource draft`).

mod column;
mod key;
mod write;

#[cfg(test)]
mod tests;

use std::io::Read;

use changtong_catalog::error::{Code, Refusal};

pub use column::{Column, Guess};
pub use write::to_toml;

/// Spellings that mean "no value" in agencies' files.
pub const NULLS: [&str; 6] = ["", "NA", "N/A", "NULL", "null", "\\N"];

/// Rows looked at for the key; the types are guessed from all rows.
const KEY_ROWS: usize = 200_000;

/// What was learned of a data file.
#[derive(Debug)]
pub struct Draft {
    pub rows: u64,
    pub columns: Vec<Column>,
    /// Names of the items that tell all rows apart, the fewest that were found; empty if none do.
    pub key: Vec<String>,
}

/// From CSV with a header row.
pub fn from_csv(input: impl Read) -> Result<Draft, Refusal> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(input);
    let header = reader.headers().map_err(|e| unreadable(&e))?.clone();
    let mut draft = Collector::new(header.iter());
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|e| unreadable(&e))? {
        draft.row(row.iter().map(Some));
    }
    draft.finish()
}

/// From NDJSON: the items are the members in the order in which they first appear.
pub fn from_ndjson(input: impl std::io::BufRead) -> Result<Draft, Refusal> {
    let mut draft = Collector::new(std::iter::empty());
    for (at, line) in input.lines().enumerate() {
        let bad = |zh: &str, en: &str| {
            Refusal::new(Code::BadRequest, format!("第 {} 行{zh}", at + 1), format!("line {} {en}", at + 1))
        };
        let line = line.map_err(|_| bad("不是 UTF-8 文本", "is not UTF-8 text"))?;
        if line.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line).map_err(|_| bad("不是 JSON 对象", "is not a JSON object"))?;
        draft.object(&object);
    }
    draft.finish()
}

struct Collector {
    rows: u64,
    columns: Vec<Column>,
    key: key::Search,
}

impl Collector {
    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let columns = names.enumerate().map(|(at, title)| Column::named(at, title)).collect();
        Self { rows: 0, columns, key: key::Search::default() }
    }

    fn row<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) {
        let mut hashes = Vec::with_capacity(self.columns.len());
        for (column, value) in self.columns.iter_mut().zip(values) {
            let value = value.filter(|text| !NULLS.contains(text));
            column.see(value);
            hashes.push(key::hash(value));
        }
        self.rows += 1;
        if self.rows <= KEY_ROWS as u64 {
            self.key.row(hashes);
        }
    }

    fn object(&mut self, object: &serde_json::Map<String, serde_json::Value>) {
        for name in object.keys() {
            if !self.columns.iter().any(|column| column.title == *name) {
                let mut column = Column::named(self.columns.len(), name);
                column.was_absent(self.rows);
                self.columns.push(column);
            }
        }
        let texts: Vec<Option<String>> =
            self.columns.iter().map(|column| object.get(&column.title).and_then(text)).collect();
        self.row(texts.iter().map(Option::as_deref));
    }

    fn finish(mut self) -> Result<Draft, Refusal> {
        if self.rows == 0 || self.columns.is_empty() {
            return Err(Refusal::new(
                Code::BadRequest,
                "文件中没有数据行,无从推断",
                "the file has no rows to guess from",
            ));
        }
        column::make_names_unique(&mut self.columns);
        let may_be_key: Vec<bool> = self.columns.iter().map(Column::may_be_key).collect();
        let key = self.key.fewest(&may_be_key).into_iter().map(|at| self.columns[at].name.clone()).collect();
        Ok(Draft { rows: self.rows, columns: self.columns, key })
    }
}

fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn unreadable(error: &csv::Error) -> Refusal {
    let line = error.position().map_or(1, csv::Position::line);
    Refusal::new(
        Code::BadRequest,
        format!("CSV 第 {line} 行无法读取(列数不一或不是 UTF-8;GB18030 文件请用 --encoding gb18030)"),
        format!(
            "the CSV cannot be read at line {line} (uneven columns or not UTF-8; for GB18030 use --encoding gb18030)"
        ),
    )
}
