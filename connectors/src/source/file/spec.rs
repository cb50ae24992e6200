//! `[source.file]` of a connector's file (interface.md 7).

use std::collections::BTreeMap;

use changtong_catalog::error::{Code, Refusal};
use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    Csv,
    Ndjson,
    /// Object container files.
    Avro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// With GBK and GB 2312 as its subsets.
    #[serde(rename = "gb18030")]
    Gb18030,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// New files and new lines.
    #[default]
    Append,
    /// Each file is the full state (全量).
    Replace,
}

/// How many rows a file may delete without a person's word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxDeletes {
    Rows(u64),
    Percent(f64),
}

impl MaxDeletes {
    #[must_use]
    pub fn allows(self, deletes: u64, rows: u64) -> bool {
        match self {
            Self::Rows(most) => deletes <= most,
            Self::Percent(most) => deletes as f64 * 100.0 <= most * rows as f64,
        }
    }
}

impl<'de> Deserialize<'de> for MaxDeletes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Rows(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Rows(rows) => Ok(Self::Rows(rows)),
            Written::Text(text) => {
                let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                percent.filter(|most| (0.0..=100.0).contains(most)).map(Self::Percent).ok_or_else(|| {
                    de::Error::custom("max_deletes is a number of rows or a percentage such as \"20%\"")
                })
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSourceSpec {
    /// Below `connectors.root`: a file, a folder, or a pattern with `*` and `?` in its last part.
    pub path: String,
    pub format: FileFormat,
    #[serde(default)]
    pub encoding: Encoding,
    /// CSV: spellings of "no value"; they count in columns of nullable items only.
    #[serde(default = "empty_only")]
    pub null: Vec<String>,
    #[serde(default)]
    pub mode: Mode,
    #[serde(default = "a_fifth")]
    pub max_deletes: MaxDeletes,
    /// CSV: what separates fields.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// CSV: column of the file → item, where the column has neither the item's name nor its title.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// CSV: columns that are not published.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The most records of one batch.
    #[serde(default = "batch_records")]
    pub batch_records: usize,
}

/// About the most bytes of one batch.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// What the bus takes in one publish.
pub(super) const MOST_RECORDS: usize = 10_000;

fn empty_only() -> Vec<String> {
    vec![String::new()]
}

fn a_fifth() -> MaxDeletes {
    MaxDeletes::Percent(20.0)
}

fn comma() -> char {
    ','
}

fn batch_records() -> usize {
    5000
}

impl FileSourceSpec {
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |field: &str, zh: &str, en: &str| {
            Err(Refusal::new(
                Code::Invalid,
                format!("source.file.{field}:{zh}"),
                format!("source.file.{field}: {en}"),
            )
            .with("path", format!("source.file.{field}")))
        };
        crate::root::plain(&self.path)?;
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\n' | '\r' | '\0') {
            return wrong("delimiter", "应为一个 ASCII 字符", "one ASCII character is wanted");
        }
        if !(1..=MOST_RECORDS).contains(&self.batch_records) {
            return wrong("batch_records", "应为 1 至 10000", "1 to 10000 are possible");
        }
        let csv_only = !self.columns.is_empty() || !self.ignore.is_empty() || self.delimiter != ',';
        if self.format == FileFormat::Avro
            && (csv_only || self.null != empty_only() || self.encoding != Encoding::Utf8)
        {
            return wrong(
                "format",
                "avro 不用 encoding、null、delimiter、columns、ignore:文件自带模式",
                "avro takes no encoding, null, delimiter, columns or ignore: its files have their own schema",
            );
        }
        if self.format == FileFormat::Avro && self.mode == Mode::Replace {
            return wrong(
                "mode",
                "avro 文件只能以 append 方式读取;replace 用于 csv 和 ndjson",
                "avro files are read by `append` only; `replace` is for csv and ndjson",
            );
        }
        if self.format == FileFormat::Ndjson && (csv_only || self.null != empty_only()) {
            return wrong(
                "format",
                "ndjson 不用 null、delimiter、columns、ignore",
                "ndjson takes no null, delimiter, columns or ignore",
            );
        }
        Ok(())
    }
}
