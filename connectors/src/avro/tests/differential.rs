//! Against apache-avro on schemas and records without end: 220,000 and more a run, each family from seeds that a failure
//! names. Where apache-avro is wrong, the specification is what we are held against, and the case says so.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use changtong_catalog::resource::{Item, ResourceFile};
use proptest::prelude::*;

use super::made::{Choices, Made, avro, in_union, record, resource, table};
use super::views::{grant, keys};
use super::*;
use crate::log::LogRecord;

/// Schemas of each family, and records of each schema.
const SCHEMAS: u32 = 500;
const RECORDS: usize = 110;

/// A seed that fails is told as it is: a smaller one is no simpler.
fn seeds() -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(SCHEMAS) }
}

fn plan_of(file: &ResourceFile) -> Plan {
    Plan::of(file, SchemaId(7), (!file.key.is_empty()).then_some(SchemaId(8)), 3)
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

fn stored(value: &[u8]) -> LogRecord {
    let framed = [&[0, 0, 0, 0, 7], value].concat();
    LogRecord { partition: 0, offset: 0, appended_ms: 0, key: None, value: Some(Bytes::from(framed)) }
}

proptest! {
    #![proptest_config(seeds())]

    #[test]
    fn json_becomes_the_bytes_that_apache_avro_writes(seed: u64) {
        let choices = &mut Choices(seed);
        let file = table(resource(choices));
        let plan = plan_of(&file);
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let records: Vec<_> = (0..RECORDS).map(|_| record(choices, &file.items)).collect();
        let lines: Vec<_> = records.iter().map(|record| json(choices, &file.items, record)).collect();
        let body = read(&plan, Format::Ndjson, &lines.join("\n"));
        prop_assert_eq!(&body.bad, &vec![]);
        for ((made, record), line) in body.records.iter().zip(&records).zip(&lines) {
            let wanted = writer.write_value_to_vec(avro(&file.items, record)).unwrap();
            prop_assert_eq!(&made.value.as_ref().unwrap()[5..], &wanted[..], "{}", line);
        }
    }

    #[test]
    fn a_foreign_file_becomes_the_bytes_that_apache_avro_writes(seed: u64) {
        let choices = &mut Choices(seed);
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
            let place = |item: &Item| foreign.iter().position(|other| other.name == item.name).unwrap();
            let resolved: Vec<_> = file.items.iter().map(|item| record[place(item)].clone()).collect();
            wanted.push(writer.write_value_to_vec(avro(&file.items, &resolved)).unwrap());
        }
        let mut body = container::head(theirs.as_bytes(), [7; 16]);
        container::put_block(RECORDS as u64, &data, [7; 16], &mut body);
        let body = try_read(&plan, Format::Avro, &body, &LIMITS).unwrap();
        prop_assert_eq!(&body.bad, &vec![]);
        let found: Vec<_> = body.records.iter().map(|record| record.value.as_ref().unwrap()[5..].to_vec()).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn what_apache_avro_writes_is_the_line_it_should_be(seed: u64) {
        let choices = &mut Choices(seed);
        let file = resource(choices);
        let plan = plan_of(&file);
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let mut places = Places::default();
        for _ in 0..RECORDS {
            let record = record(choices, &file.items);
            let datum = writer.write_value_to_vec(avro(&file.items, &record)).unwrap();
            let mut line = Vec::new();
            plan.owner_line(Generation(1), &stored(&datum), &mut places, &mut line).unwrap();
            let member = |(item, made): (&Item, &Made)| format!("\"{}\":{}", item.name, made.line);
            let members: Vec<_> = file.items.iter().zip(&record).map(member).collect();
            let wanted = format!("\"record\":{{{}}}}}\n", members.join(","));
            let line = String::from_utf8(line).unwrap();
            prop_assert!(line.ends_with(&wanted), "{} is not {}", line, wanted);
        }
    }

    #[test]
    fn a_projection_is_read_by_apache_avro_as_it_should_be(seed: u64) {
        let choices = &mut Choices(seed);
        let file = resource(choices);
        let plan = Arc::new(plan_of(&file));
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let shown: Vec<usize> = (0..file.items.len()).filter(|_| choices.one_in(2)).collect();
        let names: Vec<_> = shown.iter().map(|at| file.items[*at].name.as_str()).collect();
        let granted = grant(&names, None, None);
        let view = View::compile(plan, &file.items, &granted, keys()).unwrap();
        let derived =
            schema::derived_schema(granted.number, &file.items, &granted.items, &granted.masks).unwrap();
        let delivered = Schema::parse_str(&view.delivered_schema(&derived)).unwrap();
        let reader = GenericDatumReader::builder(&delivered).build().unwrap();
        let mut places = Places::default();
        for _ in 0..RECORDS {
            let record = record(choices, &file.items);
            let datum = writer.write_value_to_vec(avro(&file.items, &record)).unwrap();
            let mut out = Vec::new();
            view.datum(Generation(1), &stored(&datum), true, &mut places, &mut out).unwrap();
            let mut rest = &out[..];
            let found = reader.read_value(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            let field = |at: &usize| {
                let item = &file.items[*at];
                (item.name.clone(), in_union(item, &record[*at].avro))
            };
            let wanted = Value::Record(shown.iter().map(field).collect());
            let Value::Record(members) = found else { panic!("no record") };
            prop_assert_eq!(&members.last().unwrap().1, &wanted);
        }
    }
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
        let line = plan.owner_line(Generation(1), &stored(datum), &mut Places::default(), &mut Vec::new());
        assert!(line.is_err(), "{datum:?}");
        let mut body = container::head(text.as_bytes(), [7; 16]);
        container::put_block(1, datum, [7; 16], &mut body);
        assert!(try_read(&plan, Format::Avro, &body, &LIMITS).is_err(), "{datum:?}");
    }
}
