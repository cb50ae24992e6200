//! What the house calls breaking although Avro reads it.

use crate::avro::{Rules, Schema, parse};
use crate::compat::{Level, Meaning, Policy, breaks};

fn schema(text: &str) -> Schema {
    parse(text, Rules::RESOURCE).unwrap()
}

/// What changes between two types of an item, and where.
fn changes(old: &str, new: &str) -> Vec<(Meaning, String)> {
    let resource = |item: &str| {
        let text = format!(
            r#"{{"type":"record","name":"Value","fields":[{{"name":"id","type":"long"}},{{"name":"item","type":{item}}}]}}"#
        );
        schema(&text)
    };
    let (old, new) = (resource(old), resource(new));
    let found = breaks(&new, &[&old], Level::FullTransitive, Policy::House).next();
    let found = found.map(|found| found.house).unwrap_or_default();
    assert!(found.iter().all(|change| !change.text.zh.is_ascii() && !change.text.en.is_empty()));
    found.into_iter().map(|change| (change.meaning, change.path)).collect()
}

fn meanings(old: &str, new: &str) -> Vec<Meaning> {
    changes(old, new).into_iter().map(|(meaning, _)| meaning).collect()
}

fn decimal(precision: u32, scale: u32) -> String {
    format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
}

#[test]
fn a_decimal_keeps_its_precision_and_scale() {
    use Meaning::{DecimalPrecision, DecimalScale, LogicalType};
    assert_eq!(meanings(&decimal(9, 2), &decimal(9, 2)), []);
    assert_eq!(meanings(&decimal(9, 2), &decimal(9, 4)), [DecimalScale]);
    assert_eq!(meanings(&decimal(9, 2), &decimal(12, 2)), [DecimalPrecision]);
    assert_eq!(meanings(&decimal(9, 2), &decimal(12, 3)), [DecimalPrecision, DecimalScale]);
    assert_eq!(meanings(&decimal(9, 2), r#""bytes""#), [LogicalType]);
    assert_eq!(meanings(&decimal(9, 2), r#""string""#), [LogicalType], "Avro reads bytes as a text");
}

#[test]
fn dates_and_times_stay_what_they_are() {
    let logical = |base: &str, word: &str| format!(r#"{{"type":"{base}","logicalType":"{word}"}}"#);
    let millis = logical("long", "timestamp-millis");
    assert_eq!(meanings(&logical("int", "date"), r#""int""#), [Meaning::Date]);
    assert_eq!(meanings(r#""int""#, &logical("int", "date")), [Meaning::Date]);
    assert_eq!(meanings(&logical("int", "date"), r#""long""#), [Meaning::Date]);
    assert_eq!(meanings(&millis, &logical("long", "timestamp-micros")), [Meaning::TimestampUnit]);
    assert_eq!(meanings(&millis, &logical("long", "local-timestamp-millis")), [Meaning::LogicalType]);
    assert_eq!(meanings(&millis, r#""long""#), [Meaning::LogicalType]);
    assert_eq!(meanings(&logical("string", "uuid"), r#""string""#), [Meaning::LogicalType]);
    assert_eq!(meanings(r#""int""#, r#""long""#), [], "a promotion changes no meaning");
}

/// What changes between two fields that differ in their properties.
fn of_fields(old: &str, new: &str) -> Vec<Meaning> {
    let field = |properties: &str| {
        let comma = if properties.is_empty() { "" } else { "," };
        schema(&format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":["null","string"],"default":null{comma}{properties}}}]}}"#
        ))
    };
    let (old, new) = (field(old), field(new));
    let found = breaks(&new, &[&old], Level::Backward, Policy::House).next();
    found.map(|found| found.house).unwrap_or_default().into_iter().map(|change| change.meaning).collect()
}

#[test]
fn a_unit_and_a_code_list_keep_their_meaning() {
    let unit = |unit: &str| format!(r#""unit":"{unit}""#);
    assert_eq!(of_fields(&unit("元"), &unit("万元")), [Meaning::Unit]);
    assert_eq!(of_fields(&unit("元"), ""), [Meaning::Unit]);
    assert_eq!(of_fields("", &unit("元")), [], "what was not said is said");
    let values = |list: &str| format!(r#""values":{list}"#);
    assert_eq!(of_fields(&values(r#"["1","2"]"#), &values(r#"["2","1","3"]"#)), [], "a list may grow");
    assert_eq!(of_fields(&values(r#"["1","2"]"#), &values(r#"["1"]"#)), [Meaning::CodeList]);
    assert_eq!(
        of_fields(&values(r#"{"1":"男","2":"女"}"#), &values(r#"{"1":"女","2":"男"}"#)),
        [Meaning::CodeList]
    );
    assert_eq!(of_fields(&values(r#"{"1":"男"}"#), &values(r#"{"1":"男","2":"女"}"#)), []);
    assert_eq!(of_fields(&values(r#"["1"]"#), ""), [Meaning::CodeList]);
    assert_eq!(of_fields("", &values(r#"["1"]"#)), [Meaning::CodeList]);
    let list = |name: &str| format!(r#""code_list":"{name}""#);
    assert_eq!(of_fields(&list("GB/T 2261.1"), &list("GB/T 2261.2")), [Meaning::CodeList]);
    assert_eq!(of_fields("", &list("GB/T 2261.1")), []);
    // On a type, Avro takes `values` for a word of its own and drops it: only a field can carry the list.
    assert_eq!(meanings(r#"{"type":"string","values":["1"]}"#, r#""string""#), []);
    assert_eq!(meanings(r#"{"type":"int","unit":"km"}"#, r#"{"type":"int","unit":"m"}"#), [Meaning::Unit]);
}

#[test]
fn meanings_are_found_wherever_they_are() {
    let date = r#"{"type":"int","logicalType":"date"}"#;
    for (old, new, path) in [
        (format!(r#"["null",{date}]"#), r#"["null","int"]"#.to_owned(), "item"),
        (date.to_owned(), r#"["null","int"]"#.to_owned(), "item"),
        (format!(r#"{{"type":"array","items":{date}}}"#), r#"{"type":"array","items":"int"}"#.to_owned(), "item[]"),
        (format!(r#"{{"type":"map","values":["null",{date}]}}"#), r#"{"type":"map","values":["string","int","null"]}"#.to_owned(), "item{}<int>"),
        (
            format!(r#"{{"type":"record","name":"A","fields":[{{"name":"b","type":{date}}}]}}"#),
            r#"{"type":"record","name":"B","aliases":["A"],"fields":[{"name":"c","type":"int","aliases":["b"]}]}"#.to_owned(),
            "item.c",
        ),
    ] {
        assert_eq!(changes(&old, &new), [(Meaning::Date, path.to_owned())], "{old}");
    }
    // A property of the field counts as one of its type.
    let field = |unit: &str| {
        schema(&format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":["null","int"],"unit":"{unit}"}}]}}"#
        ))
    };
    let (old, new) = (field("km"), field("m"));
    let found = breaks(&new, &[&old], Level::Backward, Policy::House).next().unwrap();
    assert_eq!((found.house[0].meaning, &*found.house[0].path), (Meaning::Unit, "f"));
    assert!(
        breaks(&new, &[&old], Level::Backward, Policy::Avro).next().is_none(),
        "free subjects are Avro's alone"
    );
    assert!(breaks(&new, &[&old], Level::None, Policy::House).next().is_none());
}

#[test]
fn a_type_that_holds_itself_is_walked_once() {
    let tree = |unit: &str| {
        parse(
            &format!(
                r#"{{"type":"record","name":"T","fields":[{{"name":"v","type":{{"type":"int","unit":"{unit}"}}}},{{"name":"l","type":["null","T"]}}]}}"#
            ),
            Rules::FREE,
        )
        .unwrap()
    };
    let (old, new) = (tree("km"), tree("m"));
    let found = breaks(&new, &[&old], Level::Full, Policy::House).next().unwrap();
    assert_eq!(found.house.len(), 1);
}
