//! Random records: what we encode, apache-avro decodes to the same values; what we print is what was put in.

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::types::Value;
use proptest::prelude::*;

use super::*;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| plan("table", &["id", "n"], ALL_TYPES));
static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse_str(&schema_text(&items(ALL_TYPES))).unwrap());

type Row = (
    String,
    i32,
    Option<i64>,
    Option<i64>,
    Option<i32>,
    Option<i64>,
    Option<bool>,
    Option<Vec<u8>>,
    Option<f64>,
);

fn rows() -> impl Strategy<Value = Row> {
    (
        "[^\\x00]{0,8}",
        -999_999_999..=999_999_999_i32,
        any::<Option<i64>>(),
        proptest::option::of(-9_999_999_999..=9_999_999_999_i64),
        proptest::option::of(-719_162..=2_932_896_i32),
        proptest::option::of(-62_135_596_800_000..=253_402_300_799_999_i64),
        any::<Option<bool>>(),
        any::<Option<Vec<u8>>>(),
        proptest::option::of(any::<f64>().prop_filter("finite", |value| value.is_finite())),
    )
}

fn json(row: &Row) -> String {
    use base64::Engine as _;
    let day =
        row.4.map(|days| chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap().to_string());
    let at = row.5.map(|ms| chrono::DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339());
    let raw = row.7.as_ref().map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
    let money = row.3.map(|cents| {
        format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
    });
    serde_json::json!({"id": row.0, "n": row.1, "big": row.2, "money": money, "day": day, "at": at, "flag": row.6,
        "raw": raw, "ratio": row.8})
    .to_string()
}

fn decode(schema: &Schema, mut datum: &[u8]) -> Value {
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema).build().unwrap();
    let value = reader.read_value(&mut datum).unwrap();
    assert!(datum.is_empty(), "bytes are left over");
    value
}

fn field<'v>(record: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = record else { panic!("not a record") };
    match &fields.iter().find(|(field, _)| field == name).unwrap().1 {
        Value::Union(_, inner) => inner,
        value => value,
    }
}

fn opt<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, make)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn apache_avro_reads_what_we_write(row in rows()) {
        let body = read(&PLAN, Format::Ndjson, &json(&row));
        prop_assert_eq!(&body.bad, &vec![]);
        let framed = body.records[0].value.clone().unwrap();
        prop_assert_eq!(&framed[..5], &[0, 0, 0, 0, 7]);
        let record = decode(&SCHEMA, &framed[5..]);
        prop_assert_eq!(field(&record, "id"), &Value::String(row.0.clone()));
        prop_assert_eq!(field(&record, "n"), &Value::Int(row.1));
        prop_assert_eq!(field(&record, "big"), &opt(row.2, Value::Long));
        prop_assert_eq!(field(&record, "day"), &opt(row.4, Value::Date));
        prop_assert_eq!(field(&record, "at"), &opt(row.5, Value::TimestampMillis));
        prop_assert_eq!(field(&record, "flag"), &opt(row.6, Value::Boolean));
        prop_assert_eq!(field(&record, "raw"), &opt(row.7.clone(), Value::Bytes));
        prop_assert_eq!(field(&record, "ratio"), &opt(row.8, Value::Double));
        let money = match field(&record, "money") {
            Value::Decimal(decimal) => Some(Vec::<u8>::try_from(decimal).unwrap()),
            _ => None,
        };
        let shortest = row.3.map(|cents| {
            let bytes = cents.to_be_bytes();
            let start = (0..7).find(|at| {
                let filler = if cents < 0 { 0xff } else { 0 };
                bytes[*at] != filler || (bytes[*at + 1] ^ filler) & 0x80 != 0
            });
            bytes[start.unwrap_or(7)..].to_vec()
        });
        prop_assert_eq!(money, shortest);
    }

    #[test]
    fn the_key_is_one_for_one(row in rows(), other in rows()) {
        let body = read(&PLAN, Format::Ndjson, &format!("{}\n{}", json(&row), json(&other)));
        let same = (&row.0, row.1) == (&other.0, other.1);
        prop_assert_eq!(body.records[0].key == body.records[1].key, same);
    }

    #[test]
    fn a_damaged_record_is_an_error_or_a_line(row in rows(), cut in 0..200_usize, flip in 0..200_usize, bits in 1..255_u8) {
        let body = read(&PLAN, Format::Ndjson, &json(&row));
        let mut value = body.records[0].value.clone().unwrap().to_vec();
        let at = flip % value.len();
        value[at] ^= bits;
        value.truncate(cut.max(1));
        let record = crate::log::LogRecord { partition: 0, offset: 0, appended_ms: 0, key: body.records[0].key.clone(), value: Some(value.into()) };
        let mut out = Vec::new();
        let _ = PLAN.owner_line(Generation(1), &record, &mut Places::default(), &mut out);
    }
}
