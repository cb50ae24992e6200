//! Row filters made from a seed, and what they say of a record: told from apache-avro's values, without the codec, its
//! cells and the filters' own evaluation.

use std::cmp::Ordering;

use apache_avro::types::Value;
use changtong_catalog::resource::{Item, ItemType};

use super::made::{Choices, plain_decimal};

/// The most digits of a literal.
const MOST_DIGITS: usize = 38;
const OPS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

pub enum Rule {
    Compare { at: usize, op: usize, literal: String, value: Value },
    Null { at: usize, is: bool },
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// Over these items; literals are values of these records, so that equal ones are met.
pub fn rule(choices: &mut Choices, items: &[Item], records: &[Vec<Value>], depth: u32) -> Rule {
    let inner = |choices: &mut Choices| rule(choices, items, records, depth - 1);
    match choices.below(if depth == 0 { 1 } else { 6 }) {
        0..=2 => leaf(choices, items, records),
        3 => Rule::Not(Box::new(inner(choices))),
        4 => Rule::All((0..=choices.below(2)).map(|_| inner(choices)).collect()),
        _ => Rule::Any((0..=choices.below(2)).map(|_| inner(choices)).collect()),
    }
}

fn leaf(choices: &mut Choices, items: &[Item], records: &[Vec<Value>]) -> Rule {
    let at = choices.below(items.len() as u64) as usize;
    let value = choices.of(records)[at].clone();
    match literal(&items[at], &value) {
        Some(literal) if !choices.one_in(8) => {
            let ops = if items[at].kind == ItemType::L { 2 } else { OPS.len() };
            Rule::Compare { at, op: choices.below(ops as u64) as usize, literal, value }
        }
        _ => Rule::Null { at, is: choices.one_in(2) },
    }
}

/// As a filter says the value, if it can.
fn literal(item: &Item, value: &Value) -> Option<String> {
    let number = |text: String| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        (digits <= MOST_DIGITS).then_some(text)
    };
    match value {
        Value::String(text) => serde_json::to_string(text).ok(),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Int(whole) => Some(whole.to_string()),
        Value::Long(whole) => Some(whole.to_string()),
        Value::Float(value) => number(value.to_string()),
        Value::Double(value) => number(value.to_string()),
        Value::Date(days) => {
            let day = chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163)?;
            Some(format!("\"{day}\""))
        }
        Value::TimestampMillis(millis) => {
            let time = chrono::DateTime::from_timestamp_millis(*millis)?;
            Some(format!("'{}'", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")))
        }
        _ => number(plain_decimal(unscaled(value)?, item.scale? as usize)),
    }
}

/// Of a decimal, or of the bytes of one.
fn unscaled(value: &Value) -> Option<i128> {
    let bytes = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Decimal(decimal) => Vec::try_from(decimal).ok()?,
        _ => return None,
    };
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[16 - bytes.len()..].copy_from_slice(&bytes);
    Some(i128::from_be_bytes(wide))
}

impl Rule {
    pub fn text(&self, items: &[Item]) -> String {
        let joined = |rules: &[Self], with: &str| {
            let texts: Vec<_> = rules.iter().map(|rule| format!("({})", rule.text(items))).collect();
            texts.join(with)
        };
        match self {
            Self::Compare { at, op: 0, literal, .. } if literal == "true" => items[*at].name.clone(),
            Self::Compare { at, op, literal, .. } => format!("{} {} {literal}", items[*at].name, OPS[*op]),
            Self::Null { at, is } => format!("{} {} null", items[*at].name, OPS[usize::from(!is)]),
            Self::Not(rule) => format!("!({})", rule.text(items)),
            Self::All(rules) => joined(rules, " && "),
            Self::Any(rules) => joined(rules, "||"),
        }
    }

    /// Of a record's values, of which an item that is not `known` says nothing; `None`: unknown.
    pub fn judge(&self, record: &[Value], known: &dyn Fn(usize) -> bool) -> Option<bool> {
        let each =
            |rules: &[Self]| -> Vec<_> { rules.iter().map(|rule| rule.judge(record, known)).collect() };
        match self {
            Self::Compare { at, op, value, .. } => {
                let order = order(known(*at).then_some(&record[*at])?, value)?;
                Some(match OPS[*op] {
                    "==" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
            Self::Null { at, is } => known(*at).then(|| (record[*at] == Value::Null) == *is),
            Self::Not(rule) => rule.judge(record, known).map(|truth| !truth),
            Self::All(rules) => decided(&each(rules), false),
            Self::Any(rules) => decided(&each(rules), true),
        }
    }
}

/// One such decides; else what is unknown stays so.
fn decided(truths: &[Option<bool>], by: bool) -> Option<bool> {
    if truths.contains(&Some(by)) {
        return Some(by);
    }
    (!truths.contains(&None)).then_some(!by)
}

/// Null is neither more nor less than anything.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::String(one), Value::String(other)) => Some(one.chars().cmp(other.chars())),
        (Value::Boolean(one), Value::Boolean(other)) => Some(one.cmp(other)),
        (Value::Int(one), Value::Int(other)) | (Value::Date(one), Value::Date(other)) => Some(one.cmp(other)),
        (Value::Long(one), Value::Long(other))
        | (Value::TimestampMillis(one), Value::TimestampMillis(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
        _ => Some(unscaled(one)?.cmp(&unscaled(other)?)),
    }
}
