//! Schemas and records made from a seed, many and cheap: each value as JSON says it, as apache-avro has it, and as a line
//! says it. What the three are is told here without the codec.

use apache_avro::types::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::resource::{Item, ItemType, Kind, ResourceFile};

use super::file;

/// Splitmix64: a seed gives the same choices everywhere.
#[derive(Debug, Clone)]
pub struct Choices(pub u64);

impl Choices {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub fn of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// Of few bits as often as of many.
    fn number(&mut self) -> i64 {
        let bits = self.below(64);
        self.next().cast_signed() >> bits
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// A value in all its forms.
#[derive(Debug, Clone)]
pub struct Made {
    /// As a publisher writes it; `None`: not at all.
    pub json: Option<String>,
    /// Without the union around it.
    pub avro: Value,
    /// As a line writes it.
    pub line: String,
}

/// A stream of one to twelve items of any type.
pub fn resource(choices: &mut Choices) -> ResourceFile {
    use ItemType::{B, C, D, F, G, I, L, M, N, T, Y};
    let mut file = file("stream", &[], "items = []\n");
    for n in 0..=choices.below(12) {
        let kind = *choices.of(&[C, N, Y, D, T, L, M, G, B, I, F]);
        let decimal = matches!(kind, N | Y);
        let precision = 1 + choices.below(38) as u32;
        let length = match kind {
            C | M if choices.one_in(3) => Some(12),
            I if choices.one_in(2) => Some(1 + choices.below(18) as u32),
            _ => None,
        };
        let coded = kind == C && choices.one_in(4);
        let values = ["甲", "B", "c\"\\\n"].map(str::to_owned);
        file.items.push(Item {
            name: format!("item_{n}"),
            title: format!("项{n}"),
            kind,
            nullable: choices.one_in(2),
            grade: 1,
            length: if coded { None } else { length },
            precision: decimal.then_some(precision),
            scale: decimal.then(|| choices.below(u64::from(precision) + 1) as u32),
            values: if coded { values.into() } else { Vec::new() },
            unit: None,
            mask: None,
            default: None,
            aliases: Vec::new(),
        });
    }
    file
}

pub fn table(mut file: ResourceFile) -> ResourceFile {
    let fit = |item: &&Item| !item.nullable && !matches!(item.kind, ItemType::B | ItemType::F);
    file.key = file.items.iter().filter(fit).take(2).map(|item| item.name.clone()).collect();
    if !file.key.is_empty() {
        file.kind = Kind::Table;
    }
    file
}

fn value(choices: &mut Choices, item: &Item) -> Made {
    if item.nullable && choices.one_in(4) {
        let json = choices.one_in(2).then(|| "null".to_owned());
        return Made { json, avro: Value::Null, line: "null".to_owned() };
    }
    let (json, avro, line) = match item.kind {
        ItemType::C | ItemType::M => text(choices, item),
        ItemType::I => whole(choices, item),
        ItemType::N | ItemType::Y => decimal(choices, item),
        ItemType::D => date(choices),
        ItemType::T => time(choices),
        ItemType::L => {
            let truth = choices.one_in(2);
            (truth.to_string(), Value::Boolean(truth), truth.to_string())
        }
        ItemType::G => {
            let bytes: Vec<u8> = (0..choices.below(9)).map(|_| choices.next() as u8).collect();
            let text = format!("\"{}\"", STANDARD.encode(&bytes));
            (text.clone(), Value::Bytes(bytes), text)
        }
        ItemType::B => {
            let number = finite(choices, f64::from_bits, f64::is_finite);
            (number.to_string(), Value::Double(number), serde_json::to_string(&number).unwrap())
        }
        ItemType::F => {
            let number = finite(choices, |bits| f32::from_bits(bits as u32), f32::is_finite);
            (number.to_string(), Value::Float(number), serde_json::to_string(&number).unwrap())
        }
    };
    Made { json: Some(json), avro, line }
}

fn finite<T>(choices: &mut Choices, of_bits: fn(u64) -> T, is_finite: fn(T) -> bool) -> T
where
    T: Copy + From<f32>,
{
    match choices.below(4) {
        0 => T::from(choices.below(2000) as f32 / 8.0 - 100.0),
        _ => {
            let number = of_bits(choices.next());
            if is_finite(number) { number } else { T::from(-0.0) }
        }
    }
}

fn text(choices: &mut Choices, item: &Item) -> (String, Value, String) {
    const LETTERS: [char; 15] =
        ['a', 'Z', '0', ' ', ',', '"', '\\', '/', '\n', '\t', '\u{1f}', '\u{7f}', 'é', '中', '😀'];
    let text: String = match item.values.as_slice() {
        [] => (0..choices.below(13)).map(|_| *choices.of(&LETTERS)).collect(),
        values => choices.of(values).clone(),
    };
    let line = serde_json::to_string(&text).unwrap();
    let json = if choices.one_in(4) {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
        format!("\"{}\"", units.collect::<String>())
    } else {
        line.clone()
    };
    (json, Value::String(text), line)
}

fn whole(choices: &mut Choices, item: &Item) -> (String, Value, String) {
    let number = match item.length {
        Some(digits) => choices.number() % 10_i64.pow(digits),
        None => choices.number(),
    };
    let avro = match item.length {
        Some(..=9) => Value::Int(i32::try_from(number).unwrap()),
        _ => Value::Long(number),
    };
    (number.to_string(), avro, number.to_string())
}

fn decimal(choices: &mut Choices, item: &Item) -> (String, Value, String) {
    let (precision, scale) = (item.precision.unwrap(), item.scale.unwrap() as usize);
    let wide = (i128::from(choices.number()) << 64) | i128::from(choices.next());
    let unscaled = (wide >> choices.below(128)) % 10_i128.pow(precision);
    let plain = plain_decimal(unscaled, scale);
    let json = match choices.below(4) {
        0 => plain.clone(),
        1 => format!("{unscaled}e-{scale}"),
        _ => format!("\"{plain}\""),
    };
    let mut bytes = unscaled.to_be_bytes().to_vec();
    while bytes.len() > 1
        && (bytes[0] == 0 && bytes[1] & 0x80 == 0 || bytes[0] == 0xff && bytes[1] & 0x80 != 0)
    {
        bytes.remove(0);
    }
    (json, Value::Decimal(bytes.into()), format!("\"{plain}\""))
}

/// With as many digits behind the point.
pub fn plain_decimal(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (before, behind) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    format!("{sign}{before}{point}{behind}")
}

fn date(choices: &mut Choices) -> (String, Value, String) {
    // The years 1 to 9999.
    let days = choices.below(3_652_059) as i32 - 719_162;
    let text = format!("\"{}\"", chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap());
    (text.clone(), Value::Date(days), text)
}

fn time(choices: &mut Choices) -> (String, Value, String) {
    let millis = choices.below(315_537_811_200_000) as i64 - 62_135_510_400_000;
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap();
    let line = format!("\"{}\"", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"));
    let minutes = choices.below(1440) as i32 - 720;
    let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
    let json = match choices.below(3) {
        0 => line.clone(),
        _ => format!("\"{}\"", time.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%.3f%:z")),
    };
    (json, Value::TimestampMillis(millis), line)
}

pub fn record(choices: &mut Choices, items: &[Item]) -> Vec<Made> {
    items.iter().map(|item| value(choices, item)).collect()
}

/// A default of the item, which is a value of it: as a file writes it, and as apache-avro has it.
pub fn default(choices: &mut Choices, item: &Item) -> (serde_json::Value, Value) {
    // A file keeps fewer digits of a number with a point than a record may have.
    let eighths = |most: u64| most as f64 / 8.0;
    let (line, avro) = match item.kind {
        ItemType::B => {
            let number = eighths(choices.below(1 << 32));
            (number.to_string(), Value::Double(number))
        }
        ItemType::F => {
            let number = eighths(choices.below(1 << 16));
            (number.to_string(), Value::Float(number as f32))
        }
        _ => {
            let made = value(choices, &Item { nullable: false, ..item.clone() });
            (made.line, made.avro)
        }
    };
    (serde_json::from_str(&line).unwrap(), avro)
}

/// A value as a field of the item has it.
pub fn in_union(item: &Item, avro: &Value) -> Value {
    match avro {
        Value::Null => Value::Union(0, Box::new(Value::Null)),
        avro if item.nullable => Value::Union(1, Box::new(avro.clone())),
        avro => avro.clone(),
    }
}

/// A record as apache-avro has it.
pub fn avro(items: &[Item], record: &[Made]) -> Value {
    let field = |(item, made): (&Item, &Made)| (item.name.clone(), in_union(item, &made.avro));
    Value::Record(items.iter().zip(record).map(field).collect())
}
