//! apache-avro beside us: what we write it reads, and what a generated schema resolves to is the same for both.

use apache_avro::types::Value;
use apache_avro::{Reader, Schema};
use proptest::prelude::*;

use super::*;

/// What a field of a foreign file may be, and what stands in it.
type Variant = (&'static str, Value);

#[derive(Debug, Clone)]
struct Seed {
    text: String,
    int: i32,
    long: i64,
    float: f32,
    double: f64,
}

fn seeds() -> impl Strategy<Value = Seed> {
    let number = |value: &f64| value.is_finite();
    (
        "[^\\x00]{0,8}",
        -999_999_999..=999_999_999_i32,
        any::<i64>(),
        any::<f32>().prop_filter("finite", |value| value.is_finite()),
        any::<f64>().prop_filter("finite", move |value| number(value)),
    )
        .prop_map(|(text, int, long, float, double)| Seed { text, int, long, float, double })
}

fn of(branch: u32, value: Value) -> Value {
    Value::Union(branch, Box::new(value))
}

/// For each item what may be written for it; the first two are required. (Decimals are not compared: apache-avro 0.22
/// refuses those of fewer bytes than its precision could fill.)
fn variants(seed: &Seed) -> Vec<(&'static str, Vec<Variant>)> {
    let text = || Value::String(seed.text.clone());
    let bytes = || Value::Bytes(seed.text.clone().into_bytes());
    let (int, long) = (|| Value::Int(seed.int), || Value::Long(seed.long));
    let (float, double) = (|| Value::Float(seed.float), || Value::Double(seed.double));
    vec![
        (
            "id",
            vec![
                ("\"string\"", text()),
                (r#"["null","string"]"#, of(1, text())),
                (r#"{"type":"string","avro.java.string":"String"}"#, text()),
                ("\"bytes\"", bytes()),
            ],
        ),
        ("n", vec![("\"int\"", int()), (r#"["string","int"]"#, of(1, int()))]),
        (
            "big",
            vec![
                ("\"long\"", long()),
                ("\"int\"", int()),
                (r#"["long","null"]"#, of(0, long())),
                (r#"["long","null"]"#, of(1, Value::Null)),
                ("\"null\"", Value::Null),
            ],
        ),
        (
            "ratio",
            vec![
                ("\"double\"", double()),
                ("\"float\"", float()),
                ("\"long\"", long()),
                ("\"int\"", int()),
                (r#"["null","float"]"#, of(1, float())),
            ],
        ),
        ("small", vec![("\"float\"", float()), ("\"int\"", int()), (r#"["float"]"#, of(0, float()))]),
        ("note", vec![("\"string\"", text()), (r#"["null","string"]"#, of(0, Value::Null))]),
        ("raw", vec![("\"bytes\"", bytes()), (r#"["null","bytes"]"#, of(1, bytes()))]),
        ("flag", vec![("\"boolean\"", Value::Boolean(seed.int % 2 == 0)), ("\"null\"", Value::Null)]),
        (
            "day",
            vec![
                (r#"{"type":"int","logicalType":"date"}"#, Value::Date(seed.int % 700_000)),
                (r#"["null",{"type":"int","logicalType":"date"}]"#, of(1, Value::Date(0))),
            ],
        ),
        (
            "at",
            vec![(
                r#"{"type":"long","logicalType":"timestamp-millis"}"#,
                Value::TimestampMillis(seed.long % 62_000_000_000_000),
            )],
        ),
        (
            "extra",
            vec![
                (
                    r#"{"type":"array","items":["null","long"]}"#,
                    Value::Array(vec![of(1, long()), of(0, Value::Null)]),
                ),
                (
                    r#"{"type":"map","values":{"type":"fixed","name":"F","size":2}}"#,
                    Value::Map([("k".to_owned(), Value::Fixed(2, vec![1, 2]))].into_iter().collect()),
                ),
                (r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, Value::Enum(1, "B".into())),
            ],
        ),
    ]
}

/// The schema and the record of one choice of fields in one order.
fn chosen(seed: &Seed, choice: &[usize], order: &[usize]) -> (String, Value) {
    let mut fields = Vec::new();
    for (at, (name, variants)) in variants(seed).into_iter().enumerate() {
        let pick = choice[at] % (variants.len() + usize::from(at > 1));
        if let Some((kind, value)) = variants.into_iter().nth(pick) {
            fields.push((order[at], field(name, kind), name.to_owned(), value));
        }
    }
    fields.sort_by_key(|(order, ..)| *order);
    let texts: Vec<&str> = fields.iter().map(|(_, text, ..)| text.as_str()).collect();
    let schema = record(&texts);
    (schema, Value::Record(fields.into_iter().map(|(_, _, name, value)| (name, value)).collect()))
}

/// The record's name is looked at by apache-avro, and is not by us.
fn resolved(file: &[u8], ours: &str) -> Vec<Value> {
    let named = ours.replacen(
        r#""name":"Value","namespace":"ct.r1""#,
        r#""name":"Foreign","namespace":"gov.example""#,
        1,
    );
    let schema = Schema::parse_str(&named).unwrap();
    let reader = Reader::builder(file).reader_schema(&schema).build().unwrap();
    reader.map(|value| value.unwrap()).collect()
}

fn decoded(schema: &Schema, mut datum: &[u8]) -> Value {
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema).build().unwrap();
    reader.read_value(&mut datum).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_generated_schema_resolves_as_it_does_for_apache_avro(
        seed in seeds(),
        choice in prop::collection::vec(0..6_usize, 11),
        order in prop::collection::vec(any::<usize>(), 11),
        deflate in any::<bool>(),
    ) {
        let plan = table();
        let (schema, value) = chosen(&seed, &choice, &order);
        let file = written(&schema, vec![value.clone(), value], deflate);
        let body = read(&plan, &file).unwrap();
        prop_assert_eq!(&body.bad, &vec![]);
        let ours = schema_text(&items(ALL_TYPES));
        let parsed = Schema::parse_str(&ours).unwrap();
        let found: Vec<Value> =
            body.records.iter().map(|record| decoded(&parsed, &record.value.as_ref().unwrap()[5..])).collect();
        prop_assert_eq!(found, resolved(&file, &ours));
    }

    #[test]
    fn json_to_avro_to_a_file_and_back_is_the_same(
        rows in prop::collection::vec(("[^\\x00]{0,8}", 0..1000_i32, any::<Option<i64>>(), any::<Option<bool>>()), 0..20),
        cut in 0..20_usize,
    ) {
        let plan = table();
        let json: String = rows
            .iter()
            .map(|(id, n, big, flag)| serde_json::json!({"id": id, "n": n, "big": big, "flag": flag}).to_string() + "\n")
            .collect();
        let first = try_read(&plan, Format::Ndjson, json.as_bytes(), &LIMITS).unwrap();
        let text = schema_text(&items(ALL_TYPES));
        let mut file = head(text.as_bytes(), MARKER);
        let cut = cut.min(first.records.len());
        // apache-avro takes a block of no record for the end; neither we nor others write one.
        for part in [&first.records[..cut], &first.records[cut..]].into_iter().filter(|part| !part.is_empty()) {
            let data: Vec<u8> = part.iter().flat_map(|record| record.value.as_ref().unwrap()[5..].to_vec()).collect();
            put_block(part.len() as u64, &data, MARKER, &mut file);
        }
        let again = read(&plan, &file).unwrap();
        prop_assert_eq!(&first.records, &again.records);
        let beside = Reader::new(&file[..]).unwrap();
        let values: Vec<Value> = beside.map(|value| value.unwrap()).collect();
        prop_assert_eq!(values.len(), rows.len());
    }

    #[test]
    fn any_bytes_behind_a_head_are_an_answer(data in any::<Vec<u8>>(), records in any::<u8>(), choice in 0..4_usize) {
        let plan = table();
        let kind = [
            r#"{"type":"array","items":"null"}"#,
            r#"{"type":"map","values":["null","bytes"]}"#,
            r#"["null",{"type":"array","items":{"type":"array","items":"int"}}]"#,
            r#"{"type":"fixed","name":"F","size":3}"#,
        ][choice];
        let schema = record(&[&field("id", "\"string\""), &field("extra", kind), &field("n", "\"int\"")]);
        let _ = read(&plan, &[head(schema.as_bytes(), MARKER), data.clone()].concat());
        let file = made(&schema, u64::from(records), &data);
        let _ = (read(&plan, &file), read(&plan, &deflated(&schema, u64::from(records), &data)), shown(&file));
    }

    #[test]
    fn any_text_is_a_schema_or_refused(text in "[{}\\[\\]\":,a-z0-9 ]{0,60}", prefix in any::<bool>()) {
        let text = if prefix { format!(r#"{{"type":"record","name":"R","fields":[{text}]}}"#) } else { text };
        let _ = read(&table(), &made(&text, 0, b""));
    }

    #[test]
    fn a_damaged_file_is_an_answer(
        seed in seeds(),
        choice in prop::collection::vec(0..6_usize, 11),
        deflate in any::<bool>(),
        at in any::<usize>(),
        bits in 1..=255_u8,
        end in any::<usize>(),
    ) {
        let (schema, value) = chosen(&seed, &choice, &[0; 11]);
        let mut file = written(&schema, vec![value.clone(), value], deflate);
        let length = file.len();
        file[at % length] ^= bits;
        file.truncate(length - end % (length / 4));
        let _ = (read(&table(), &file), shown(&file));
    }
}
