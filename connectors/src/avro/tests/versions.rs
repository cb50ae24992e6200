//! Records of one version read in the shape of another: as apache-avro resolves them, on schemas without end, and by hand
//! where a change is no promotion, and where apache-avro has no rule (aliases of fields) or another (defaults of unions).

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use changtong_catalog::grant::Grant;
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::ItemType;

use super::differential::stored;
use super::family;
use super::made::{Choices, avro, default, in_union, record, resource};
use super::rules::rule;
use super::views::{grant, keys};
use super::*;
use crate::log::LogRecord;

/// Version 1 with schema 7, then version 2 with schema 70, which is in force.
pub fn standing_of(old: &[Item], new: &[Item]) -> ResourceStanding {
    let mut file = file("stream", &[], "items = []\n");
    file.items = old.to_vec();
    let mut standing = standing(file);
    let text = SchemaText { id: SchemaId(70), text: schema_text(new), fingerprint: String::new() };
    let mut versions = standing.versions.to_vec();
    versions.push(SchemaVersion { version: 2, schema: text, items: new.to_vec() });
    standing.versions = versions.into();
    standing.resource.file.items = new.to_vec();
    standing
}

/// What became of the items of a version.
struct Evolved {
    items: Vec<Item>,
    /// By item, its default as apache-avro has it, where the earlier version lacks it.
    defaults: Vec<Option<Value>>,
    /// The earlier items under their later names, as a reader's aliases give them (Avro 1.12, "Aliases").
    before: Vec<Item>,
}

/// Some items that may be null go, others come, with and without a default, numbers widen, some have another name, all
/// stand elsewhere. Who reads later versions finds nothing by its aliases.
fn evolved(choices: &mut Choices, items: &[Item], by_aliases: bool) -> Evolved {
    let mut before = items.to_vec();
    let mut evolved = Vec::new();
    for (n, old) in before.iter_mut().enumerate() {
        if old.nullable && choices.one_in(3) {
            continue;
        }
        let mut item = old.clone();
        match (item.kind, choices.below(3)) {
            (ItemType::I, 0) => item.length = None,
            (ItemType::I, 1) | (ItemType::F, 0) => (item.kind, item.length) = (ItemType::B, None),
            (ItemType::C, 0) if item.values.is_empty() => item.kind = ItemType::M,
            (ItemType::N | ItemType::Y, 0) => {
                item.precision =
                    item.precision.map(|digits| digits + choices.below(39 - u64::from(digits)) as u32);
            }
            _ => {}
        }
        item.nullable |= choices.one_in(3);
        // It is there, so this counts for nothing.
        item.default = choices.one_in(4).then(|| default(choices, &item).0);
        let mut counts = None;
        if choices.one_in(3) {
            item.aliases = vec![format!("never_{n}"), item.name];
            item.name = format!("renamed_{n}");
            if by_aliases {
                old.name.clone_from(&item.name);
            } else {
                counts = lacked(choices, &mut item);
            }
        }
        evolved.push((item, counts));
    }
    for (n, item) in resource(choices).items.into_iter().enumerate().take(3) {
        let mut item = Item { name: format!("new_{n}"), ..item };
        let counts = lacked(choices, &mut item);
        evolved.push((item, counts));
    }
    choices.shuffle(&mut evolved);
    let (items, defaults) = evolved.into_iter().unzip();
    Evolved { items, defaults, before }
}

/// Makes an item one that what is read may lack: with a default that counts there, or null.
fn lacked(choices: &mut Choices, item: &mut Item) -> Option<Value> {
    let counts = choices.one_in(2).then(|| default(choices, item));
    item.nullable |= counts.is_none();
    let (written, counts) = counts.unzip();
    item.default = written;
    counts
}

/// A reader's schema without what apache-avro does not know: what has a default may be null there.
fn plain(Evolved { items, defaults, .. }: &Evolved) -> Vec<Item> {
    let one = |(item, default): (&Item, &Option<Value>)| Item {
        nullable: item.nullable || default.is_some(),
        default: None,
        aliases: Vec::new(),
        ..item.clone()
    };
    items.iter().zip(defaults).map(one).collect()
}

/// A resolved record with the defaults that count.
fn with_defaults(resolved: Value, Evolved { items, defaults, .. }: &Evolved) -> Value {
    let Value::Record(members) = resolved else { panic!("no record") };
    let counting = items.iter().zip(defaults).zip(members);
    let counting = counting.map(|((item, default), (name, value))| match default {
        Some(default) => (name, in_bytes(in_union(item, default))),
        None => (name, value),
    });
    Value::Record(counting.collect())
}

/// Decimals as the bytes that they are: apache-avro 0.22 resolves none that takes fewer bytes than its precision may need,
/// though the specification asks for no more than its number does.
fn with_bytes(items: &[Item]) -> Vec<Item> {
    let bytes = |item: &Item| match item.kind {
        ItemType::N | ItemType::Y => {
            Item { kind: ItemType::G, precision: None, scale: None, default: None, ..item.clone() }
        }
        _ => Item { default: None, ..item.clone() },
    };
    items.iter().map(bytes).collect()
}

/// Members of a record, without their unions.
fn members(record: &Value) -> Vec<Value> {
    let Value::Record(members) = record else { panic!("no record") };
    let bare = |value: &Value| match value {
        Value::Union(_, inner) => (**inner).clone(),
        value => value.clone(),
    };
    members.iter().map(|(_, value)| bare(value)).collect()
}

fn schema_of(items: &[Item]) -> Schema {
    Schema::parse_str(&schema_text(&with_bytes(items))).unwrap()
}

/// Schemas, and old records of each.
const SCHEMAS: u64 = 300;
const RECORDS: usize = 60;

#[test]
fn an_old_record_is_read_and_filtered_as_apache_avro_resolves_it() {
    read_as_apache_avro_resolves_it("versions", true, |written, read| {
        (7, Plan::compile(&standing_of(written, read), 3).unwrap())
    });
}

#[test]
fn a_later_record_is_read_and_filtered_as_apache_avro_resolves_it() {
    read_as_apache_avro_resolves_it("later versions", false, |written, read| {
        (70, Plan::of_version(&standing_of(read, written), 1, 3).unwrap())
    });
}

/// Records of one list of items under a plan of another, which says the schema that they are of.
fn read_as_apache_avro_resolves_it(
    family: &str,
    by_aliases: bool,
    planned: impl Fn(&[Item], &[Item]) -> (u8, Plan),
) {
    let (mut sent, mut lacked, mut renamed) = (0, 0, 0);
    family::run(family, SCHEMAS, SCHEMAS as usize * RECORDS, |choices, held| {
        let old = resource(choices).items;
        let evolved = evolved(choices, &old, by_aliases);
        let new = evolved.items.clone();
        let (schema_id, plan) = planned(&old, &new);
        let plan = Arc::new(plan);
        // Names are in no datum: what was written under the earlier ones is read under the later.
        let (written, wanted) = (schema_of(&evolved.before), schema_of(&plain(&evolved)));
        let writer = GenericDatumWriter::builder(&written).build().unwrap();
        let resolved = GenericDatumReader::builder(&written).reader_schema(&wanted).build().unwrap();
        let datum =
            |_| writer.write_value_to_vec(in_bytes(avro(&evolved.before, &record(choices, &old)))).unwrap();
        let data: Vec<_> = (0..RECORDS).map(datum).collect();
        let theirs: Vec<_> = data
            .iter()
            .map(|datum| with_defaults(resolved.read_value(&mut &datum[..]).unwrap(), &evolved))
            .collect();
        lacked += evolved.defaults.iter().flatten().count();
        renamed += new.iter().filter(|item| !item.aliases.is_empty()).count();
        let values: Vec<_> = theirs.iter().map(members).collect();
        let filter = (!new.is_empty() && choices.one_in(2)).then(|| rule(choices, &new, &values, 2));
        let names: Vec<_> = new.iter().map(|item| item.name.as_str()).collect();
        let granted = grant(&names, None, filter.as_ref().map(|rule| rule.text(&new)).as_deref());
        let view = View::compile(plan, &new, &granted, keys()).unwrap();
        let shown = with_bytes(&new);
        let derived = schema::derived_schema(granted.number, &shown, &granted.items, &granted.masks).unwrap();
        let delivered = Schema::parse_str(&view.delivered_schema(&derived)).unwrap();
        let reader = GenericDatumReader::builder(&delivered).build().unwrap();
        let mut places = Places::default();
        for ((datum, theirs), values) in data.iter().zip(&theirs).zip(&values) {
            let mut out = Vec::new();
            let record = written_as(schema_id, datum);
            let passed = view.datum(Generation(1), &record, true, &mut places, &mut out).unwrap();
            let passes = filter.as_ref().is_none_or(|rule| rule.judge(values, &|_| true) == Some(true));
            assert_eq!(passed == Passed::Sent, passes, "{:?} {values:?}", granted.consumer_filter);
            if passes {
                let mut rest = &out[..];
                let Value::Record(members) = reader.read_value(&mut rest).unwrap() else {
                    panic!("no record")
                };
                assert!(rest.is_empty());
                assert_eq!(&members.last().unwrap().1, theirs);
                sent += 1;
            }
            *held += 1;
        }
    });
    assert!(sent > RECORDS * 100, "{sent} passed");
    assert!(lacked > 100 && renamed > 100, "{lacked} defaults counted, {renamed} names were others");
}

/// As the log holds a datum of this schema.
pub fn written_as(schema: u8, datum: &[u8]) -> LogRecord {
    let framed = [&[0, 0, 0, 0, schema], datum].concat();
    LogRecord { partition: 0, offset: 0, appended_ms: 0, key: None, value: Some(Bytes::from(framed)) }
}

/// A record with its decimals as bytes.
fn in_bytes(record: Value) -> Value {
    match record {
        Value::Record(members) => {
            Value::Record(members.into_iter().map(|(name, value)| (name, in_bytes(value))).collect())
        }
        Value::Union(branch, inner) => Value::Union(branch, Box::new(in_bytes(*inner))),
        Value::Decimal(decimal) => Value::Bytes(Vec::try_from(&decimal).unwrap()),
        value => value,
    }
}

/// A record of two old items under a plan of two new ones.
fn read_as(old: &str, new: &str, datum: &[u8]) -> Result<serde_json::Value, Refusal> {
    let plan = Plan::compile(&standing_of(&items(old), &items(new)), 3).unwrap();
    let mut out = Vec::new();
    plan.owner_line(Generation(1), &written_as(7, datum), &mut Places::default(), &mut out)?;
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    Ok(line["record"].clone())
}

fn one(kind: &str) -> String {
    format!("[[items]]\nname = \"a\"\ntitle = \"a\"\n{kind}\n")
}

#[test]
fn a_change_of_meaning_is_no_promotion() {
    let money = |scale: u32| one(&format!("type = \"Y\"\nprecision = 9\nscale = {scale}"));
    let long = one("type = \"I\"");
    assert_eq!(read_as(&money(2), &money(2), b"\x02\x05").unwrap()["a"], "0.05");
    assert_eq!(read_as(&one("type = \"I\"\nlength = 9"), &long, b"\x0a").unwrap()["a"], 5);
    assert_eq!(read_as(&one("type = \"C\""), &one("type = \"G\""), b"\x02a").unwrap()["a"], "YQ==");
    assert_eq!(read_as(&one("type = \"G\""), &one("type = \"C\""), b"\x02a").unwrap()["a"], "a");
    for (old, new, datum) in [
        (money(2), money(3), &b"\x02\x05"[..]),
        (one("type = \"D\""), long.clone(), b"\x0a"),
        (one("type = \"T\""), long.clone(), b"\x0a"),
        (long.clone(), one("type = \"I\"\nlength = 9"), b"\x0a"),
        // Null where there may be none, text that is none.
        (one("type = \"I\"\nnullable = true"), long.clone(), b"\x00"),
        (one("type = \"G\""), one("type = \"C\""), b"\x02\xff"),
    ] {
        assert!(read_as(&old, &new, datum).is_err(), "{old} as {new}");
    }
    // One that may be null is read where it is not.
    assert_eq!(read_as(&one("type = \"I\"\nnullable = true"), &long, b"\x02\x0a").unwrap()["a"], 5);
}

/// An item of each type beside the one that an old record has, with its default and what a line says of it.
const DEFAULTS: [(&str, &str, &str); 11] = [
    ("type = \"C\"\nvalues = [\"甲\", \"\\\"\"]", "\"\\\"\"", r#""\"""#),
    ("type = \"M\"\nnullable = true", "\"无\"", r#""无""#),
    ("type = \"I\"\nlength = 9", "-7", "-7"),
    ("type = \"I\"", "9223372036854775807", "9223372036854775807"),
    ("type = \"N\"\nprecision = 38\nscale = 2", "\"-0.5\"", r#""-0.50""#),
    ("type = \"Y\"\nprecision = 9\nscale = 2", "3", r#""3.00""#),
    ("type = \"D\"", "\"2013-01-31\"", r#""2013-01-31""#),
    ("type = \"T\"", "\"2013-01-31T08:00:00+08:00\"", r#""2013-01-31T00:00:00.000Z""#),
    ("type = \"L\"\nnullable = true", "true", "true"),
    ("type = \"G\"", "\"AP+A\"", r#""AP+A""#),
    ("type = \"F\"", "0.1", "0.1"),
];

fn named(name: &str, kind: &str) -> String {
    format!("[[items]]\nname = \"{name}\"\ntitle = \"{name}\"\n{kind}\n")
}

/// The line of a record of the one old item `a`, which is 5, under new ones.
fn line_of(old: &str, new: &str, datum: &[u8]) -> serde_json::Value {
    read_as(&named("a", old), new, datum).unwrap()
}

#[test]
fn what_an_older_version_lacks_is_the_default_of_whatever_type() {
    let number = "type = \"I\"\nlength = 9";
    for (kind, default, wanted) in DEFAULTS {
        let new = format!("{}{}", named("b", &format!("{kind}\ndefault = {default}")), named("a", number));
        let line = line_of(number, &new, b"\x0a");
        assert_eq!((&line["a"], line["b"].to_string()), (&5.into(), wanted.to_owned()), "{kind}");
        // Where it is there, even null, it counts.
        let nullable = kind.contains("nullable");
        if nullable {
            let line =
                read_as(&named("b", kind), &named("b", &format!("{kind}\ndefault = {default}")), b"\0");
            assert_eq!(line.unwrap()["b"], serde_json::Value::Null, "{kind}");
        }
    }
    let double = named("b", "type = \"B\"\ndefault = 1e300") + &named("a", number);
    assert_eq!(line_of(number, &double, b"\x0a")["b"], 1e300);
}

#[test]
fn an_item_of_another_name_is_found_by_its_alias_and_promoted() {
    let alias = |kind: &str| named("b", &format!("{kind}\naliases = [\"z\", \"a\"]"));
    let int = "type = \"I\"\nlength = 9";
    assert_eq!(line_of(int, &alias(int), b"\x0a"), serde_json::json!({ "b": 5 }));
    assert_eq!(line_of(int, &alias("type = \"I\""), b"\x0a")["b"], 5);
    assert_eq!(line_of(int, &alias("type = \"B\""), b"\x0a")["b"], 5.0);
    // A default is for what has none of the names.
    assert_eq!(line_of(int, &alias("type = \"I\"\ndefault = 8"), b"\x0a")["b"], 5);
    let neither = named("c", "type = \"I\"\ndefault = 8\naliases = [\"z\"]");
    assert_eq!(line_of(int, &neither, b"\x0a")["c"], 8);
    // The alias is the reader's: an older shape does not find what was renamed since.
    let gone = read_as(&alias(int), &named("a", "type = \"I\"\nnullable = true"), b"\x0a").unwrap();
    assert_eq!(gone, serde_json::json!({ "a": null }));
    for (old, datum) in [("type = \"C\"", &b"\x02a"[..]), ("type = \"D\"", b"\x0a")] {
        assert!(read_as(&named("a", old), &alias(int), datum).is_err(), "no promotion: {old}");
    }
    let both = named("a", int) + &named("z", int);
    assert!(read_as(&both, &alias(int), b"\x0a\x0a").is_err(), "which of the two it is, nothing says");
}

/// An old record of `id` and `a` under a grant on `b`, which is `a`, and `c`, which it lacks.
fn shown_under(grant: &Grant) -> (Passed, String, Vec<u8>) {
    let text = "type = \"C\"";
    let old = items(&(named("id", "type = \"I\"") + &named("a", text)));
    let with = |name: &str, more: &str| named(name, &format!("{text}\nmask = \"name\"\n{more}"));
    let new =
        named("id", "type = \"I\"") + &with("b", "aliases = [\"a\"]") + &with("c", "default = \"赵钱孙\"");
    let new = items(&(new + &named("n", "type = \"I\"\ndefault = 7")));
    let plan = Arc::new(Plan::compile(&standing_of(&old, &new), 3).unwrap());
    let view = View::compile(plan, &new, grant, keys()).unwrap();
    let datum = ["\x02\x12".as_bytes(), "王小明".as_bytes()].concat();
    let (mut line, mut out, mut places) = (Vec::new(), Vec::new(), Places::default());
    let record = stored(None, &datum);
    let passed = view.line(Generation(1), &record, true, &mut places, &mut line).unwrap();
    assert_eq!(view.datum(Generation(1), &record, true, &mut places, &mut out), Ok(passed));
    (passed, String::from_utf8(line).unwrap(), out)
}

#[test]
fn case_31_a_mask_lies_on_defaults_and_on_what_an_alias_finds() {
    let mut held = grant(&["b", "c", "n"], None, None);
    for name in ["b", "c"] {
        held.masks.insert(name.to_owned(), Mask::Name);
    }
    held.masks.insert("n".to_owned(), Mask::Blank);
    let (passed, line, datum) = shown_under(&held);
    assert_eq!(passed, Passed::Sent);
    assert!(line.contains(r#""record":{"b":"王**","c":"赵**","n":null}"#), "{line}");
    let bytes = |text: &str| datum.windows(text.len()).any(|found| found == text.as_bytes());
    assert!(bytes("王**") && bytes("赵**"));
    for clear in ["小", "明", "钱", "孙"] {
        assert!(!line.contains(clear) && !bytes(clear), "{clear} left: {line}");
    }
}

#[test]
fn filters_read_defaults_and_what_an_alias_finds() {
    for (filter, passes) in [
        ("c == '赵钱孙'", true),
        ("c == null", false),
        ("c != '赵钱孙'", false),
        ("b == '王小明' && n == 7", true),
        ("n > 7", false),
        ("b in ['李']", false),
    ] {
        let (passed, line, _) = shown_under(&grant(&["id"], None, Some(filter)));
        assert_eq!(passed == Passed::Sent, passes, "{filter}");
        assert_eq!(line.contains(r#""record":{"id":1}"#), passes, "{filter}: {line}");
    }
}
