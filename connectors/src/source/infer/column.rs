//! What the values of one column allow: the narrowest type that fits them all.

use std::collections::BTreeSet;

use changtong_catalog::resource::ItemType;
use chrono::{DateTime, NaiveDate};

/// Distinct values kept to suggest an enumeration.
const MOST_VALUES: usize = 12;

/// One column and what is known of its values so far.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in the data; becomes the item's title.
    pub title: String,
    /// Avro field name made from it.
    pub name: String,
    pub nulls: u64,
    seen: u64,
    most_chars: usize,
    most_digits: usize,
    most_whole: usize,
    most_scale: usize,
    could: Could,
    values: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one type still possible")]
struct Could {
    integer: bool,
    decimal: bool,
    float: bool,
    date: bool,
    timestamp: bool,
    boolean: bool,
}

/// A guess with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    pub kind: ItemType,
    pub length: Option<usize>,
    pub precision: Option<usize>,
    pub scale: Option<usize>,
    pub nullable: bool,
    pub why: String,
}

impl Column {
    pub(super) fn named(at: usize, title: &str) -> Self {
        let could =
            Could { integer: true, decimal: true, float: true, date: true, timestamp: true, boolean: true };
        Self {
            title: title.trim_start_matches('\u{feff}').trim().to_owned(),
            name: field_name(at, title),
            nulls: 0,
            seen: 0,
            most_chars: 0,
            most_digits: 0,
            most_whole: 0,
            most_scale: 0,
            could,
            values: Some(BTreeSet::new()),
        }
    }

    /// Rows before the column first appeared had no value for it.
    pub(super) fn was_absent(&mut self, rows: u64) {
        self.nulls += rows;
    }

    pub(super) fn see(&mut self, value: Option<&str>) {
        let Some(text) = value else {
            self.nulls += 1;
            return;
        };
        self.seen += 1;
        self.most_chars = self.most_chars.max(text.chars().count());
        self.see_number(text);
        self.could.date &= text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
        self.could.timestamp = self.could.timestamp && DateTime::parse_from_rfc3339(text).is_ok();
        self.could.boolean &= matches!(text, "true" | "false" | "TRUE" | "FALSE" | "True" | "False");
        if let Some(values) = &mut self.values
            && !values.contains(text)
        {
            values.insert(text.to_owned());
            if values.len() > MOST_VALUES {
                self.values = None;
            }
        }
    }

    fn see_number(&mut self, text: &str) {
        if !(self.could.integer || self.could.decimal || self.could.float) {
            return;
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        // "007" is a code, not a number: as a number it would lose its zeros.
        let plain = !whole.is_empty() && all_digits(whole) && !(whole.len() > 1 && whole.starts_with('0'));
        self.could.integer &= plain && digits == whole && text.parse::<i64>().is_ok();
        self.could.decimal &= plain && all_digits(fraction) && !digits.ends_with('.');
        self.could.float &=
            (plain || digits.contains(['e', 'E'])) && text.parse::<f64>().is_ok_and(f64::is_finite);
        self.most_digits = self.most_digits.max(whole.len());
        self.most_whole = self.most_whole.max(whole.len());
        self.most_scale = self.most_scale.max(fraction.len());
    }

    pub(super) fn may_be_key(&self) -> bool {
        let kind = self.guess().kind;
        self.nulls == 0 && self.seen > 0 && !matches!(kind, ItemType::B | ItemType::F)
    }

    #[must_use]
    pub fn guess(&self) -> Guess {
        let nullable = self.nulls > 0;
        let guess = |kind, length, precision, scale, why: String| Guess {
            kind,
            length,
            precision,
            scale,
            nullable,
            why,
        };
        let plain = |kind, why: &str| guess(kind, None, None, None, why.to_owned());
        if self.seen == 0 {
            return guess(
                ItemType::C,
                Some(64),
                None,
                None,
                "no value seen: type and length are to be decided".to_owned(),
            );
        }
        if self.could.boolean {
            return plain(ItemType::L, "true and false only");
        }
        if self.could.integer {
            let why = format!("whole numbers of up to {} digits", self.most_digits);
            return guess(ItemType::I, Some(if self.most_digits <= 9 { 9 } else { 18 }), None, None, why);
        }
        if self.could.decimal && self.most_whole + self.most_scale <= 38 {
            let (whole, scale) = (self.most_whole + 2, self.most_scale);
            let why = format!(
                "decimals of up to {} + {scale} digits; two more before the point are allowed",
                self.most_whole
            );
            return guess(ItemType::N, None, Some((whole + scale).min(38)), Some(scale), why);
        }
        if self.could.float {
            return plain(ItemType::B, "numbers with an exponent");
        }
        if self.could.date {
            return plain(ItemType::D, "dates YYYY-MM-DD");
        }
        if self.could.timestamp {
            return plain(ItemType::T, "RFC 3339 timestamps");
        }
        let length = self.most_chars.next_power_of_two().max(8);
        guess(ItemType::C, Some(length), None, None, format!("text of up to {} characters", self.most_chars))
    }

    /// The few values seen, where an enumeration is worth a thought.
    #[must_use]
    pub fn few_values(&self) -> Option<Vec<&str>> {
        let values = self.values.as_ref()?;
        let worth = self.seen >= 20 && (2..=MOST_VALUES).contains(&values.len());
        worth.then(|| values.iter().map(String::as_str).collect())
    }
}

/// An ASCII field name from a header; `c<n>` where nothing of it is ASCII.
fn field_name(at: usize, title: &str) -> String {
    let mut name = String::new();
    for letter in title.trim().chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => format!("c{}", at + 1),
        Some(first) if first.is_ascii_digit() => format!("c_{name}"),
        Some(_) => name.to_owned(),
    }
}

pub(super) fn make_names_unique(columns: &mut [Column]) {
    for at in 1..columns.len() {
        let taken = |name: &str, columns: &[Column]| columns[..at].iter().any(|column| column.name == name);
        if taken(&columns[at].name, columns) {
            let base = columns[at].name.clone();
            let free = (2..).map(|n| format!("{base}_{n}")).find(|name| !taken(name, columns));
            columns[at].name = free.unwrap_or(base);
        }
    }
}
