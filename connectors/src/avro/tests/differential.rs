//! Against apache-avro on schemas and records without end, 200,000 and more a run. Where apache-avro is wrong, the
//! specification is what we are held against, and the case says so.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use changtong_catalog::resource::{Item, ResourceFile};

use super::family;
use super::made::{Choices, Made, avro, record, resource, table};
use super::rows;
use super::*;
use crate::log::LogRecord;

/// Schemas of each family, and records of each schema.
pub const SCHEMAS: u64 = 500;
pub const RECORDS: usize = 80;
pub const CASES: usize = SCHEMAS as usize * RECORDS;
/// The families of this file, and the one of `leaving`.
const FAMILIES: usize = 5;
const _: () = assert!(FAMILIES * CASES >= 200_000);

pub fn plan_of(file: &ResourceFile) -> Plan {
    Plan::of(file, SchemaId(7), (!file.key.is_empty()).then_some(SchemaId(8)), 3)
}

/// The datum of each record's key, as apache-avro writes it; none where there is no key.
pub fn keys_of(file: &ResourceFile, records: &[Vec<Made>]) -> Vec<Option<Vec<u8>>> {
    let text = schema::key_schema(ResourceNumber(1), &file.items, &file.key).unwrap();
    let schema = text.map(|text| Schema::parse_str(&text).unwrap());
    let key: Vec<_> = file.key.iter().map(|name| place(&file.items, name)).collect();
    let items: Vec<_> = key.iter().map(|at| file.items[*at].clone()).collect();
    let writer = schema.as_ref().map(|schema| GenericDatumWriter::builder(schema).build().unwrap());
    let datum = |record: &Vec<Made>| {
        let made: Vec<_> = key.iter().map(|at| record[*at].clone()).collect();
        Some(writer.as_ref()?.write_value_to_vec(avro(&items, &made)).unwrap())
    };
    records.iter().map(datum).collect()
}

fn place(items: &[Item], name: &str) -> usize {
    items.iter().position(|item| item.name == name).unwrap()
}

/// Members in any order.
fn json(choices: &mut Choices, items: &[Item], record: &[Made]) -> String {
    let member = |(item, made): (&Item, &Made)| Some(format!("\"{}\":{}", item.name, made.json.as_ref()?));
    let mut members: Vec<_> = items.iter().zip(record).filter_map(member).collect();
    if choices.one_in(3) {
        choices.shuffle(&mut members);
    }
    format!("{{{}}}", members.join(","))
}

pub fn stored(key: Option<&[u8]>, value: &[u8]) -> LogRecord {
    let framed = |id: u8, datum: &[u8]| Bytes::from([&[0, 0, 0, 0, id], datum].concat());
    LogRecord {
        partition: 0,
        offset: 0,
        appended_ms: 0,
        key: key.map(|key| framed(8, key)),
        value: Some(framed(7, value)),
    }
}

#[test]
fn json_becomes_the_bytes_that_apache_avro_writes() {
    family::run("JSON", SCHEMAS, CASES, |choices, held| {
        let file = table(resource(choices));
        let plan = plan_of(&file);
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let records: Vec<_> = (0..RECORDS).map(|_| record(choices, &file.items)).collect();
        let lines: Vec<_> = records.iter().map(|record| json(choices, &file.items, record)).collect();
        let body = read(&plan, Format::Ndjson, &lines.join("\n"));
        assert_eq!(body.bad, vec![]);
        for ((made, record), line) in body.records.iter().zip(&records).zip(&lines) {
            let wanted = writer.write_value_to_vec(avro(&file.items, record)).unwrap();
            assert_eq!(&made.value.as_ref().unwrap()[5..], &wanted[..], "{line}");
            *held += 1;
        }
    });
}

#[test]
fn csv_becomes_the_bytes_that_apache_avro_writes() {
    family::run("CSV", SCHEMAS, CASES, |choices, held| {
        let file = table(resource(choices));
        let plan = plan_of(&file);
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let records: Vec<_> = (0..RECORDS).map(|_| record(choices, &file.items)).collect();
        let (text, records) = rows::csv(choices, &file, records);
        let keys = keys_of(&file, &records);
        let body = read(&plan, Format::Csv, &text);
        assert_eq!(body.bad, vec![], "{text}");
        for ((made, record), key) in body.records.iter().zip(&records).zip(&keys) {
            let wanted = writer.write_value_to_vec(avro(&file.items, record)).unwrap();
            assert_eq!(&made.value.as_ref().unwrap()[5..], &wanted[..], "row {} of {text}", made.index);
            assert_eq!(
                made.key.as_ref().map(|key| &key[5..]),
                key.as_deref(),
                "row {} of {text}",
                made.index
            );
            *held += 1;
        }
    });
}

#[test]
fn a_foreign_file_becomes_the_bytes_that_apache_avro_writes() {
    family::run("container file", SCHEMAS, CASES, |choices, held| {
        let file = resource(choices);
        let plan = plan_of(&file);
        let ours = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&ours).build().unwrap();
        let mut foreign = file.items.clone();
        choices.shuffle(&mut foreign);
        let theirs = schema_text(&foreign);
        let schema = Schema::parse_str(&theirs).unwrap();
        let foreign_writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let (mut data, mut wanted) = (Vec::new(), Vec::new());
        for _ in 0..RECORDS {
            let record = record(choices, &foreign);
            data.extend(foreign_writer.write_value_to_vec(avro(&foreign, &record)).unwrap());
            let resolved: Vec<_> =
                file.items.iter().map(|item| record[place(&foreign, &item.name)].clone()).collect();
            wanted.push(writer.write_value_to_vec(avro(&file.items, &resolved)).unwrap());
        }
        let mut body = container::head(theirs.as_bytes(), [7; 16]);
        container::put_block(RECORDS as u64, &data, [7; 16], &mut body);
        let body = try_read(&plan, Format::Avro, &body, &LIMITS).unwrap();
        assert_eq!(body.bad, vec![]);
        let found = body.records.iter().map(|record| &record.value.as_ref().unwrap()[5..]);
        assert_eq!(found.collect::<Vec<_>>(), wanted);
        *held += wanted.len();
    });
}

#[test]
fn what_apache_avro_writes_is_the_line_it_should_be() {
    family::run("line", SCHEMAS, CASES, |choices, held| {
        let file = resource(choices);
        let plan = plan_of(&file);
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let mut places = Places::default();
        for _ in 0..RECORDS {
            let record = record(choices, &file.items);
            let datum = writer.write_value_to_vec(avro(&file.items, &record)).unwrap();
            let mut line = Vec::new();
            plan.owner_line(Generation(1), &stored(None, &datum), &mut places, &mut line).unwrap();
            let member = |(item, made): (&Item, &Made)| format!("\"{}\":{}", item.name, made.line);
            let members: Vec<_> = file.items.iter().zip(&record).map(member).collect();
            let wanted = format!("\"record\":{{{}}}}}\n", members.join(","));
            let line = String::from_utf8(line).unwrap();
            assert!(line.ends_with(&wanted), "{line} is not {wanted}");
            *held += 1;
        }
    });
}

/// apache-avro 0.22 takes a record that ends before the branch of a union for one with null there, and bytes behind a
/// datum for none of its business. The specification has neither.
#[test]
fn where_apache_avro_takes_what_is_cut_off_we_do_not() {
    const ITEMS: &str = "[[items]]\nname = \"a\"\ntitle = \"a\"\ntype = \"I\"\n[[items]]\nname = \"b\"\ntitle = \"b\"\ntype = \"M\"\nnullable = true\n";
    let plan = plan("stream", &[], ITEMS);
    let text = schema_text(&items(ITEMS));
    let schema = Schema::parse_str(&text).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let taken = reader.read_value(&mut &b"\x02"[..]).unwrap();
    assert_eq!(
        taken,
        Value::Record(vec![
            ("a".into(), Value::Long(1)),
            ("b".into(), Value::Union(0, Box::new(Value::Null)))
        ])
    );
    let mut rest = &b"\x02\x00\x00"[..];
    assert!(reader.read_value(&mut rest).is_ok() && rest == [0]);
    for datum in [&b"\x02"[..], b"\x02\x00\x00"] {
        let line =
            plan.owner_line(Generation(1), &stored(None, datum), &mut Places::default(), &mut Vec::new());
        assert!(line.is_err(), "{datum:?}");
        let mut body = container::head(text.as_bytes(), [7; 16]);
        container::put_block(1, datum, [7; 16], &mut body);
        assert!(try_read(&plan, Format::Avro, &body, &LIMITS).is_err(), "{datum:?}");
    }
}
