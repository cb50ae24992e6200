//! References, the normalised form, logical types.

use crate::avro::{Kind, Logical, Rules, Schema, parse, parse_with};

fn taken(text: &str) -> Schema {
    parse(text, Rules::FREE).unwrap()
}

const MONEY: &str = r#"{"type":"record","name":"Money","namespace":"m","fields":[{"name":"amount","type":{"type":"fixed","name":"Amount","size":8}}]}"#;

#[test]
fn references_stay_names_unless_they_are_resolved() {
    let text = r#"{"type":"record","name":"Bill","namespace":"b","fields":[{"name":"sum","type":"m.Money"},{"name":"tip","type":["null","m.Money"]}]}"#;
    assert_eq!(parse(text, Rules::FREE).unwrap_err().iter().next().unwrap().path, "fields[0].type");
    let bill = parse_with(text, &[MONEY], Rules::FREE).unwrap();
    assert_eq!(bill.canonical(), text);
    let resolved = bill.resolved();
    assert_eq!(resolved, text.replacen(r#""m.Money""#, MONEY, 1));
    assert_eq!(taken(&resolved).parsing_form(), bill.parsing_form());

    // A reference may name those before it; of what stands inside one only its own name is known, as in Java.
    let again = r#"{"type":"record","name":"b.Order","fields":[{"name":"bill","type":"b.Bill"},{"name":"a","type":"m.Amount"}]}"#;
    let order = parse_with(again, &[MONEY, text], Rules::FREE).unwrap();
    assert_eq!(
        order.canonical(),
        r#"{"type":"record","name":"Order","namespace":"b","fields":[{"name":"bill","type":"Bill"},{"name":"a","type":{"type":"fixed","name":"Amount","namespace":"m","size":8}}]}"#
    );
    assert!(parse_with(again, &[text, MONEY], Rules::FREE).is_err());
    assert!(parse_with(r#""m.Money""#, &[MONEY], Rules::FREE).is_ok());
}

#[test]
fn equal_meanings_are_one_once_normalised() {
    let one = r#"{"doc":"","type":"record","fields":[
        {"type":{"scale":2,"type":"bytes","precision":9,"logicalType":"decimal","b":{"y":1,"x":2}},"z":1,"name":"f","aliases":["q","p"],"a":2},
        {"name":"g","order":"IGNORE","type":["null",{"type":"enum","name":"E","symbols":["P"],"doc":"d","default":"P"}],"default":null},
        {"name":"h","type":"double","default":1,"doc":""},
        {"name":"i","type":"float","default":0.1}],
        "name":"R","namespace":"n","aliases":["n.B",".A"]}"#;
    let normal = concat!(
        r#"{"name":"n.R","type":"record","fields":["#,
        r#"{"name":"f","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2,"b":{"x":2,"y":1}},"order":"ASCENDING","aliases":["p","q"],"a":2,"z":1},"#,
        r#"{"name":"g","type":["null",{"name":"n.E","type":"enum","symbols":["P"],"doc":"d","default":"P"}],"order":"IGNORE","default":null},"#,
        r#"{"name":"h","type":"double","order":"ASCENDING","doc":"","default":1.0},"#,
        r#"{"name":"i","type":"float","order":"ASCENDING","default":0.1}],"#,
        r#""aliases":[".A","n.B"]}"#,
    );
    assert_eq!(taken(one).normalized(), normal);
    // Read again it is the same, and its text is what a registry keeps.
    let kept = taken(normal);
    assert_eq!(kept.normalized(), normal);
    assert!(
        kept.canonical().starts_with(r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"f","#)
    );
    let other = r#"{"type":"record","name":"n.R","aliases":[".A","B"],"fields":[
        {"a":2,"aliases":["p","q"],"name":"f","type":{"type":"bytes","b":{"x":2,"y":1},"logicalType":"decimal","precision":9,"scale":2},"z":1},
        {"default":null,"name":"g","order":"ignore","type":["null",{"default":"P","doc":"d","name":"E","symbols":["P"],"type":"enum"}]},
        {"default":1.0,"doc":"","name":"h","type":"double"},
        {"default":1e-1,"name":"i","type":"float"}]}"#;
    assert_eq!(taken(other).normalized(), normal);
    let swapped = r#"["string","null"]"#;
    assert_eq!(taken(swapped).normalized(), swapped, "branches stay in their order");
}

#[test]
fn references_of_a_normalised_schema_stay_names() {
    let bill = r#"{"type":"record","name":"Bill","fields":[{"name":"sum","type":"m.Money"}]}"#;
    let bill = parse_with(bill, &[MONEY], Rules::FREE).unwrap();
    let normal =
        r#"{"name":"Bill","type":"record","fields":[{"name":"sum","type":"m.Money","order":"ASCENDING"}]}"#;
    assert_eq!(bill.normalized(), normal);
}

#[test]
fn a_logical_type_counts_where_it_fits() {
    let logical = |text: &str| {
        let schema = taken(text);
        schema.logical(schema.top())
    };
    let decimal =
        |properties: &str| logical(&format!(r#"{{"type":"bytes","logicalType":"decimal",{properties}}}"#));
    assert_eq!(decimal(r#""precision":9,"scale":2"#), Some(Logical::Decimal { precision: 9, scale: 2 }));
    assert_eq!(decimal(r#""precision":9"#), Some(Logical::Decimal { precision: 9, scale: 0 }));
    for wrong in [
        r#""scale":2"#,
        r#""precision":0"#,
        r#""precision":2,"scale":3"#,
        r#""precision":2,"scale":-1"#,
        r#""precision":2.0"#,
        r#""precision":3000000000"#,
        r#""precision":4,"scale":"1""#,
        r#""precision":4,"avro.java.string":"String""#,
    ] {
        assert_eq!(decimal(wrong), None, "{wrong}");
    }
    let fixed = |size: u32, precision: u32| {
        logical(&format!(
            r#"{{"type":"fixed","name":"X","size":{size},"logicalType":"decimal","precision":{precision}}}"#
        ))
    };
    assert!(
        fixed(4, 9).is_some() && fixed(4, 10).is_none() && fixed(16, 38).is_some() && fixed(0, 1).is_none()
    );
    for (base, word, fits) in [
        (r#""int""#, "date", true),
        (r#""long""#, "date", false),
        (r#""int""#, "time-millis", true),
        (r#""long""#, "timestamp-nanos", true),
        (r#""long""#, "local-timestamp-micros", true),
        (r#""string""#, "uuid", true),
        (r#""bytes""#, "uuid", false),
        (r#""bytes""#, "big-decimal", true),
        (r#""fixed","name":"X","size":12"#, "duration", true),
        (r#""fixed","name":"X","size":11"#, "duration", false),
        (r#""fixed","name":"X","size":16"#, "uuid", true),
        (r#""string""#, "nothing", false),
    ] {
        let found = logical(&format!(r#"{{"type":{base},"logicalType":"{word}"}}"#));
        assert_eq!(found.map(Logical::word), fits.then_some(word), "{base} {word}");
    }
}

#[test]
fn names_are_resolved_to_what_they_stand_for() {
    let schema = taken(
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"X"},{"name":"b","type":{"type":"fixed","name":"X","size":3}},{"name":"c","type":["null","R"]}]}"#,
    );
    let Kind::Record(_, record) = schema.kind(schema.top()) else { panic!("a record") };
    assert_eq!(record.fields[0].kind, record.fields[1].kind);
    assert_eq!(schema.place(record.fields[0].kind), "fields[1].type");
    assert_eq!(schema.kind(record.fields[2].kind).children()[1], schema.top());
}
