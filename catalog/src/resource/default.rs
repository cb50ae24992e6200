//! The default of an item: in a file as records have a value in JSON, checked as one of the item, and in a schema as Avro
//! says it (specification 1.12, "Complex Types": bytes and decimals as text of ISO 8859-1, dates and times as numbers).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, SecondsFormat};
use serde_json::{Number, Value};

use super::{AvroType, Item};
use crate::avro::json::Json;
use crate::cell::Cell;
use crate::error::Text;
use crate::literal;

/// Bytes of a text, or of bytes: each record of an older version is shown with it.
pub const MOST_BYTES: usize = 1024;
/// Digits that a number with a point keeps on its way through files and the store.
const EXACT_DIGITS: usize = 15;
/// 1970-01-01, in days of the common era.
const UNIX_DAY: i32 = 719_163;

/// A value as its item's type has it.
#[derive(Debug, Clone)]
pub enum DefaultValue {
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(i128, u32),
    Date(i32),
    Timestamp(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// As records hold it: zero and minus zero are two.
impl PartialEq for DefaultValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(one), Self::Float(other)) => one.to_bits() == other.to_bits(),
            _ => self.cell() == other.cell(),
        }
    }
}

impl Item {
    /// `None` where it has none; `Err` says why what is written there is no value of the item.
    pub fn default_value(&self) -> Option<Result<DefaultValue, Text>> {
        self.default.as_ref().map(|written| DefaultValue::read(self, written))
    }
}

impl DefaultValue {
    fn read(item: &Item, written: &Value) -> Result<Self, Text> {
        let value = match (item.avro(), written) {
            (AvroType::Boolean, Value::Bool(truth)) => Some(Self::Bool(*truth)),
            (AvroType::Int | AvroType::Long, Value::Number(number)) => number.as_i64().map(Self::Int),
            (AvroType::Float | AvroType::Double, Value::Number(number)) => {
                exact(number, true).and_then(|_| number.as_f64()).map(Self::Float)
            }
            (AvroType::Decimal { precision, scale }, written) => decimal_text(written)
                .and_then(|text| literal::rescale(literal::decimal(&text)?, precision, scale))
                .map(|unscaled| Self::Decimal(unscaled, scale)),
            (AvroType::String, Value::String(text)) => Some(Self::Text(text.clone())),
            (AvroType::Bytes, Value::String(text)) => STANDARD.decode(text).ok().map(Self::Bytes),
            (AvroType::Date, Value::String(text)) => literal::date(text).map(Self::Date),
            (AvroType::TimestampMillis, Value::String(text)) => {
                literal::timestamp_millis(text).map(Self::Timestamp)
            }
            _ => None,
        };
        let value = value.ok_or_else(|| misfit(item.avro()))?;
        value.fits(item).then_some(value).ok_or_else(|| out_of_bounds(item))
    }

    /// Whether it has the item's range, length and values.
    fn fits(&self, item: &Item) -> bool {
        let within = |length: usize| item.length.is_none_or(|most| length <= most as usize);
        match self {
            Self::Int(number) => {
                let digits = number.unsigned_abs().checked_ilog10().map_or(0, |power| power + 1);
                within(digits as usize) && (item.avro() != AvroType::Int || i32::try_from(*number).is_ok())
            }
            Self::Float(number) => {
                number.is_finite() && (item.avro() != AvroType::Float || (*number as f32).is_finite())
            }
            Self::Text(text) => {
                text.len() <= MOST_BYTES
                    && !text.contains('\0')
                    && within(text.chars().count())
                    && (item.values.is_empty() || item.values.contains(text))
            }
            Self::Bytes(bytes) => bytes.len() <= MOST_BYTES,
            Self::Bool(_) | Self::Decimal(..) | Self::Date(_) | Self::Timestamp(_) => true,
        }
    }

    /// As rules and the codec see it.
    #[must_use]
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Bool(truth) => Cell::Bool(*truth),
            Self::Int(number) => Cell::Int(*number),
            Self::Float(number) => Cell::Float(*number),
            Self::Decimal(unscaled, scale) => Cell::Decimal(*unscaled, *scale),
            Self::Date(days) => Cell::Date(*days),
            Self::Timestamp(millis) => Cell::Timestamp(*millis),
            Self::Text(text) => Cell::Text(text),
            Self::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }

    /// As a schema says it.
    pub(crate) fn in_schema(&self) -> Json {
        let latin = |bytes: &[u8]| Json::Text(bytes.iter().copied().map(char::from).collect());
        match self {
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Int(number) | Self::Timestamp(number) => Json::Whole(number.to_string()),
            Self::Date(days) => Json::Whole(days.to_string()),
            Self::Float(number) => Json::Real(*number),
            Self::Decimal(unscaled, _) => latin(&unscaled.to_be_bytes()[literal::first_byte(*unscaled)..]),
            Self::Text(text) => Json::Text(text.clone()),
            Self::Bytes(bytes) => latin(bytes),
        }
    }
}

/// What a schema says of a default, as a file says it; `None` where no record could.
pub(crate) fn from_schema(avro: AvroType, said: &Value) -> Option<Value> {
    let latin = || -> Option<Vec<u8>> {
        said.as_str()?.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
    };
    Some(match avro {
        AvroType::String => Value::String(said.as_str()?.to_owned()),
        AvroType::Boolean => Value::Bool(said.as_bool()?),
        AvroType::Int | AvroType::Long => Value::Number(Number::from(said.as_i64()?)),
        AvroType::Float | AvroType::Double => Value::Number(Number::from_f64(said.as_f64()?)?),
        AvroType::Bytes => Value::String(STANDARD.encode(latin()?)),
        AvroType::Decimal { scale, .. } => Value::String(plain(literal::unscaled(&latin()?)?, scale)),
        AvroType::Date => {
            let days = i32::try_from(said.as_i64()?).ok()?.checked_add(UNIX_DAY)?;
            Value::String(NaiveDate::from_num_days_from_ce_opt(days)?.to_string())
        }
        AvroType::TimestampMillis => {
            let time = DateTime::from_timestamp_millis(said.as_i64()?)?;
            Value::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
        }
    })
}

fn decimal_text(written: &Value) -> Option<String> {
    match written {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => exact(number, number.is_f64()),
        _ => None,
    }
}

/// A number's text, if it is certain what was written, and is read again as the same.
fn exact(number: &Number, real: bool) -> Option<String> {
    let text = number.to_string();
    let digits = text.split('e').next()?.bytes().filter(u8::is_ascii_digit).count();
    let again = serde_json::from_str::<Number>(&text).ok()?;
    (!real || digits <= EXACT_DIGITS && again == *number).then_some(text)
}

/// With all its decimals.
fn plain(unscaled: i128, scale: u32) -> String {
    let scale = scale as usize;
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let (sign, point) = (if unscaled < 0 { "-" } else { "" }, if scale > 0 { "." } else { "" });
    format!("{sign}{whole}{point}{fraction}")
}

fn misfit(avro: AvroType) -> Text {
    let (zh, en) = match avro {
        AvroType::String => ("文本", "a text".to_owned()),
        AvroType::Boolean => ("true 或 false", "true or false".to_owned()),
        AvroType::Int | AvroType::Long => ("整数", "a whole number".to_owned()),
        AvroType::Float | AvroType::Double => {
            ("不超过 15 位的数", format!("a number of at most {EXACT_DIGITS} digits"))
        }
        AvroType::Bytes => ("base64 文本", "a text in base64".to_owned()),
        AvroType::Date => ("日期文本 YYYY-MM-DD", "a text YYYY-MM-DD".to_owned()),
        AvroType::TimestampMillis => (
            "RFC 3339 时间文本,秒以下至多三位",
            "a text in RFC 3339 with at most three decimals of a second".to_owned(),
        ),
        AvroType::Decimal { precision, scale } => (
            "不超过精度和小数位数的十进制数(超过 15 位时写在引号内)",
            format!(
                "a number of at most {precision} digits, {scale} of them decimals, in quotes where it has more than \
                 {EXACT_DIGITS}"
            ),
        ),
    };
    Text::new(format!("默认值应是信息项的一个值:{zh}"), format!("a default is a value of its item: {en}"))
}

fn out_of_bounds(item: &Item) -> Text {
    if item.values.is_empty() {
        return Text::new(
            format!("默认值超出信息项的范围或长度,或超过 {MOST_BYTES} 字节"),
            format!("the default is beyond the item's range or length, or beyond {MOST_BYTES} bytes"),
        );
    }
    Text::new("默认值不在允许的取值之内", "the default is not one of the values allowed")
}
