//! The cases that are easy to get wrong (registry-api.md 2.7), and what people are told.

use crate::avro::{Rules, Schema, parse};
use crate::compat::{Kind, Reading, read};

fn schema(text: &str) -> Schema {
    parse(text, Rules::FREE).unwrap()
}

fn reading(reader: &str, writer: &str) -> Reading {
    read(&schema(reader), &schema(writer))
}

fn compatible(reader: &str, writer: &str) -> bool {
    reading(reader, writer).compatible()
}

fn record(head: &str, fields: &str) -> String {
    format!(r#"{{"type":"record",{head},"fields":[{fields}]}}"#)
}

#[test]
fn names_match_without_their_namespace_or_by_a_full_alias() {
    let old = record(r#""name":"R","namespace":"a""#, r#"{"name":"f","type":["null","R"]}"#);
    assert!(compatible(
        &record(r#""name":"R","namespace":"b""#, r#"{"name":"f","type":["null","R"]}"#),
        &old
    ));
    let renamed = |alias: &str| {
        let head = format!(r#""name":"S","namespace":"b","aliases":["{alias}"]"#);
        compatible(&record(&head, r#"{"name":"f","type":["null","S"]}"#), &old)
    };
    assert!(renamed("a.R"));
    assert!(!renamed("R"), "an alias is of the type's own namespace");
    let plain = record(r#""name":"R""#, "");
    assert!(
        !compatible(&record(r#""name":"S","namespace":"b","aliases":[".R"]"#, ""), &plain),
        "as Java has it"
    );
    assert!(compatible(&record(r#""name":"S","aliases":["R"]"#, ""), &plain));
}

#[test]
fn a_field_comes_by_its_alias_and_by_one_only() {
    let old = record(r#""name":"R""#, r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
    assert!(compatible(&record(r#""name":"R""#, r#"{"name":"c","type":"long","aliases":["a"]}"#), &old));
    for field in [
        r#"{"name":"a","type":"int","aliases":["b"]}"#,
        r#"{"name":"c","type":"int","aliases":["a","b"]}"#,
        r#"{"name":"a","type":"int","aliases":["a"]}"#,
    ] {
        let found = reading(&record(r#""name":"R""#, field), &old);
        assert!(found.gave_up, "{field}");
        assert_eq!(found.differences[0].kind, Kind::AmbiguousField);
    }
}

#[test]
fn a_symbol_may_be_missing_where_the_enum_has_a_default() {
    let one = |symbols: &str| format!(r#"{{"type":"enum","name":"E","symbols":{symbols}}}"#);
    let found = reading(&one(r#"["P"]"#), &one(r#"["Z","P","Q"]"#));
    assert_eq!(
        (found.differences[0].kind, &*found.differences[0].message),
        (Kind::MissingEnumSymbols, "[Q, Z]")
    );
    assert!(compatible(&one(r#"["P"],"default":"P""#), &one(r#"["P","Q"]"#)));
    let field = |symbols: &str, default: &str| {
        record(r#""name":"R""#, &format!(r#"{{"name":"f","type":{}{default}}}"#, one(symbols)))
    };
    let of_field = r#","default":"P""#;
    assert!(
        !compatible(&field(r#"["P"]"#, of_field), &field(r#"["P","Q"]"#, "")),
        "a field's default does not help"
    );
}

#[test]
fn unions_and_promotions() {
    for (reader, writer, fits) in [
        (r#""string""#, r#"["null","string"]"#, false),
        (r#"["null","string"]"#, r#""string""#, true),
        (r#"["string","null"]"#, r#"["null","string"]"#, true),
        (r#"["null","double"]"#, r#"["int","null","long"]"#, true),
        (r#"["null","int"]"#, r#"["null","long"]"#, false),
        (r#""double""#, r#"["int","float"]"#, true),
        (r#""bytes""#, r#""string""#, true),
        (r#""string""#, r#""bytes""#, true),
        (r#""float""#, r#""double""#, false),
        (r#""int""#, r#""boolean""#, false),
        (r#""int""#, "[]", true),
        ("[]", r#""int""#, false),
        (r#"{"type":"array","items":"long"}"#, r#"{"type":"array","items":"int"}"#, true),
        (r#"{"type":"map","values":"int"}"#, r#"{"type":"map","values":"long"}"#, false),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":4}"#,
            true,
        ),
        (
            r#"{"type":"fixed","name":"X","size":4}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":4}"#,
            false,
        ),
    ] {
        assert_eq!(compatible(reader, writer), fits, "{reader} reads {writer}");
    }
}

#[test]
fn every_difference_is_told_with_both_paths_and_in_both_languages() {
    let line = |fields: &str| {
        format!(r#"{{"type":"array","items":["null",{}]}}"#, record(r#""name":"Line""#, fields))
    };
    let reader = record(
        r#""name":"Order""#,
        &format!(
            r#"{{"name":"id","type":"int"}},{{"name":"goods","aliases":["lines"],"type":{}}},{{"name":"note","type":"string"}},
               {{"name":"size","type":{{"type":"map","values":{{"type":"fixed","name":"X","size":4}}}}}}"#,
            line(r#"{"name":"count","type":"int"},{"name":"price","type":"double"}"#)
        ),
    );
    let writer = record(
        r#""name":"Bill""#,
        &format!(
            r#"{{"name":"id","type":"long"}},{{"name":"lines","type":{}}},{{"name":"size","type":{{"type":"map","values":{{"type":"fixed","name":"X","size":5}}}}}}"#,
            line(r#"{"name":"count","type":"string"}"#)
        ),
    );
    let found = reading(&reader, &writer).differences;
    let told: Vec<_> = found
        .iter()
        .map(|found| (found.kind, found.location.as_str(), found.reader.as_str(), found.writer.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Kind::NameMismatch, "/name", "", ""),
            (Kind::TypeMismatch, "/fields/0/type", "id", "id"),
            (Kind::MissingUnionBranch, "/fields/1/type/items/1", "goods[]", "lines[]<Line>"),
            (Kind::ReaderFieldMissingDefaultValue, "/fields/2", "note", ""),
            (Kind::FixedSizeMismatch, "/fields/3/type/values/size", "size{}", "size{}"),
        ]
    );
    let because: Vec<_> = found[2].because[0]
        .because
        .iter()
        .map(|found| (found.kind, found.reader.as_str(), found.writer.as_str()))
        .collect();
    assert_eq!(
        because,
        [
            (Kind::TypeMismatch, "goods[]<null>", "lines[]<Line>"),
            (Kind::TypeMismatch, "goods[]<Line>.count", "lines[]<Line>.count"),
            (Kind::ReaderFieldMissingDefaultValue, "goods[]<Line>.price", "lines[]<Line>"),
        ]
    );
    for found in &found {
        assert!(!found.text.zh.is_ascii() && !found.text.en.is_empty());
    }
}

#[test]
fn schemas_that_hold_themselves_come_to_an_end() {
    let tree = |of: &str, extra: &str| {
        record(
            r#""name":"Tree""#,
            &format!(
                r#"{{"name":"v","type":"{of}"}},{{"name":"l","type":{{"type":"array","items":"Tree"}}}}{extra}"#
            ),
        )
    };
    assert!(compatible(&tree("long", ""), &tree("int", "")));
    let found = reading(&tree("int", r#",{"name":"n","type":"int"}"#), &tree("long", ""));
    let told: Vec<_> = found.differences.iter().map(|found| found.location.as_str()).collect();
    assert_eq!(told, ["/fields/0/type", "/fields/2"], "once, however often the type is met");
}

#[test]
fn a_chain_by_names_needs_no_deep_stack() {
    // The definitions stand in fields that the other side lacks, so that only the last leads down the chain, at once.
    let chain = |side: &str, of: &str| {
        let one = |n: usize| {
            let below = if n == 0 { of.to_owned() } else { format!("R{}", n - 1) };
            let defined =
                record(&format!(r#""name":"R{n}""#), &format!(r#"{{"name":"f","type":"{below}"}}"#));
            format!(r#"{{"name":"{side}{n}","type":["null",{defined}],"default":null}}"#)
        };
        let types: Vec<_> = (0..990).map(one).collect();
        record(r#""name":"All""#, &format!(r#"{},{{"name":"last","type":"R989"}}"#, types.join(",")))
    };
    assert!(compatible(&chain("r", "long"), &chain("w", "int")));
    let found = reading(&chain("r", "int"), &chain("w", "long"));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].reader, format!("last{}", ".f".repeat(990)));
}

#[test]
fn what_is_too_much_to_compare_counts_as_incompatible() {
    let wide = |prefix: &str| {
        let types: Vec<_> = (0..250)
            .map(|n| {
                let aliases: Vec<_> = (0..60).map(|n| format!(r#""{n}""#)).collect();
                let field = format!(r#"{{"name":"f","type":"int","aliases":[{}]}}"#, aliases.join(","));
                record(&format!(r#""name":"{prefix}{n}""#), &field)
            })
            .collect();
        format!("[{}]", types.join(","))
    };
    let found = reading(&wide("R"), &wide("S"));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].kind, Kind::TooComplex);
}
