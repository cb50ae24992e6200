//! What leaves under a grant, projected, masked and filtered together, held against apache-avro: as a datum and as a line.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use changtong_catalog::grant::Grant;
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::{Item, ItemType, Kind, ResourceFile};

use super::differential::{CASES, RECORDS, SCHEMAS, keys_of, plan_of, stored};
use super::family;
use super::made::{Choices, Made, avro, in_union, record, resource, table};
use super::rules::{Rule, rule};
use super::views::{grant, keys};
use super::*;

/// What becomes of a record, told without the codec.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Fate {
    Upsert,
    Delete,
    Over,
}

/// A filter or none, for the provider and for the consumer.
struct Filters([Option<Rule>; 2]);

impl Filters {
    fn of(choices: &mut Choices, items: &[Item], records: &[Vec<Value>]) -> Self {
        Self([(); 2].map(|()| choices.one_in(2).then(|| rule(choices, items, records, 2))))
    }

    fn says(&self, record: &[Value], known: &dyn Fn(usize) -> bool, truth: bool) -> [bool; 2] {
        self.0
            .each_ref()
            .map(|rule| rule.as_ref().map_or(Some(true), |rule| rule.judge(record, known)) == Some(truth))
    }

    /// protocol.md 8: what both let pass leaves; what does not is a delete line of a table, but not where the key alone says
    /// that it is outside.
    fn fate(&self, file: &ResourceFile, record: &[Value], deletes: bool) -> Fate {
        let of_key = |at: usize| file.key.contains(&file.items[at].name);
        let outside = self.says(record, &of_key, false).contains(&true);
        match (self.says(record, &|_| true, true), file.kind) {
            ([true, true], _) => Fate::Upsert,
            (_, Kind::Table) if deletes && !outside => Fate::Delete,
            _ => Fate::Over,
        }
    }
}

/// Some of the items in any order, some of them masked, behind the filters.
fn granted(choices: &mut Choices, items: &[Item], filters: &Filters) -> Grant {
    let mut names: Vec<_> =
        items.iter().map(|item| item.name.as_str()).filter(|_| choices.one_in(2)).collect();
    choices.shuffle(&mut names);
    let [provider, consumer] = filters.0.each_ref().map(|rule| rule.as_ref().map(|rule| rule.text(items)));
    let mut grant = grant(&names, provider.as_deref(), consumer.as_deref());
    for item in items.iter().filter(|item| names.contains(&item.name.as_str())) {
        let text = matches!(item.kind, ItemType::C | ItemType::M);
        if choices.one_in(3) {
            grant.masks.insert(item.name.clone(), if text { *choices.of(&Mask::ALL) } else { Mask::Blank });
        }
    }
    grant
}

/// The value that leaves, as a field has it, and as a line says it.
fn shown(item: &Item, made: &Made, mask: Option<&Mask>) -> (Value, String) {
    match (mask, &made.avro) {
        (None, value) => (in_union(item, value), made.line.clone()),
        (Some(mask), Value::String(text)) => {
            let mut left = Vec::new();
            mask.apply(text, &keys().pseudonyms, &mut left);
            let left = String::from_utf8(left).unwrap();
            let line = serde_json::to_string(&left).unwrap();
            (in_union(item, &Value::String(left)), line)
        }
        (Some(_), _) => (Value::Union(0, Box::new(Value::Null)), "null".to_owned()),
    }
}

#[test]
fn what_leaves_is_projected_masked_and_filtered() {
    let mut fates = [0; 3];
    family::run("projected, masked, filtered", SCHEMAS, CASES, |choices, held| {
        let file = if choices.one_in(2) { resource(choices) } else { table(resource(choices)) };
        let schema = Schema::parse_str(&schema_text(&file.items)).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let records: Vec<_> = (0..RECORDS).map(|_| record(choices, &file.items)).collect();
        let values: Vec<Vec<_>> =
            records.iter().map(|record| record.iter().map(|made| made.avro.clone()).collect()).collect();
        let filters = Filters::of(choices, &file.items, &values);
        let mut grant = granted(choices, &file.items, &filters);
        grant.delete_lines = !choices.one_in(3);
        let view = View::compile(Arc::new(plan_of(&file)), &file.items, &grant, keys()).unwrap();
        let derived = schema::derived_schema(grant.number, &file.items, &grant.items, &grant.masks).unwrap();
        let delivered = Schema::parse_str(&view.delivered_schema(&derived)).unwrap();
        let reader = GenericDatumReader::builder(&delivered).build().unwrap();
        let keys = keys_of(&file, &records);
        let mut places = Places::default();
        for ((record, values), key) in records.iter().zip(&values).zip(&keys) {
            let datum = writer.write_value_to_vec(avro(&file.items, record)).unwrap();
            let stored = stored(key.as_deref(), &datum);
            let deletes = !choices.one_in(3);
            let fate = filters.fate(&file, values, deletes && grant.delete_lines);
            let (mut out, mut line) = (Vec::new(), Vec::new());
            let passed = view.datum(Generation(1), &stored, deletes, &mut places, &mut out).unwrap();
            assert_eq!(view.line(Generation(1), &stored, deletes, &mut places, &mut line), Ok(passed));
            assert_eq!(passed == Passed::Sent, fate != Fate::Over, "{grant:?} {values:?}");
            if fate == Fate::Over {
                assert_eq!((&out, &line), (&vec![], &vec![]));
            } else {
                let mut rest = &out[..];
                let found = reader.read_value(&mut rest).unwrap();
                assert!(rest.is_empty());
                assert_eq!(found, delivered_of(&file, record, &grant, key.as_deref(), fate), "{grant:?}");
                let line = String::from_utf8(line).unwrap();
                let wanted = line_of(&file, record, &grant, key.as_deref(), fate);
                assert_eq!(line, wanted, "{grant:?}");
            }
            fates[fate as usize] += 1;
            *held += 1;
        }
    });
    assert!(fates.iter().all(|met| *met > CASES / 50), "{fates:?}");
}

fn delivered_of(
    file: &ResourceFile,
    record: &[Made],
    grant: &Grant,
    key: Option<&[u8]>,
    fate: Fate,
) -> Value {
    let granted = file.items.iter().zip(record).filter(|(item, _)| grant.items.contains(&item.name));
    let members =
        granted.map(|(item, made)| (item.name.clone(), shown(item, made, grant.masks.get(&item.name)).0));
    let upsert = Value::Record(members.collect());
    let mut delivered = vec![("id".to_owned(), Value::String("1.0.0".to_owned()))];
    let record = if let Some(key) = key {
        let (symbol, record) = match fate {
            Fate::Upsert => ((0, "upsert"), Value::Union(1, Box::new(upsert))),
            _ => ((1, "delete"), Value::Union(0, Box::new(Value::Null))),
        };
        delivered.push(("op".to_owned(), Value::Enum(symbol.0, symbol.1.to_owned())));
        delivered.push(("k".to_owned(), Value::Bytes(keys().handle.handle(key).0.to_vec())));
        record
    } else {
        upsert
    };
    delivered.push(("published_at".to_owned(), Value::TimestampMillis(0)));
    delivered.push(("record".to_owned(), record));
    Value::Record(delivered)
}

fn line_of(file: &ResourceFile, record: &[Made], grant: &Grant, key: Option<&[u8]>, fate: Fate) -> String {
    let member = |name: &String| {
        let at = file.items.iter().position(|item| item.name == *name).unwrap();
        format!("\"{name}\":{}", shown(&file.items[at], &record[at], grant.masks.get(name)).1)
    };
    let members: Vec<_> = grant.items.iter().map(member).collect();
    let word = if fate == Fate::Upsert { "upsert" } else { "delete" };
    let operation = key.map(|key| format!("\"op\":\"{word}\",\"k\":\"{}\",", keys().handle.handle(key)));
    let record =
        if fate == Fate::Upsert { format!(",\"record\":{{{}}}", members.join(",")) } else { String::new() };
    let operation = operation.unwrap_or_default();
    format!("{{\"id\":\"1.0.0\",{operation}\"published_at\":\"1970-01-01T00:00:00.000Z\"{record}}}\n")
}
