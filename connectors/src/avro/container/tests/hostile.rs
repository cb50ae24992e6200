//! trust.md 3.2 as container files meet it: schema bombs, data bombs, compression bombs, poison records. Each is an
//! answer with a code and a place, of bounded memory.

use allocation_counter::measure;
use changtong_catalog::avro::{MOST_BYTES, MOST_DEPTH, MOST_FIELDS};
use changtong_catalog::error::Code;
use serde_json::json;

use super::super::window::{Inflated, Window};
use super::*;

/// A file of the two required items and one more, its datum by hand.
fn with(kind: &str, datum: &[u8]) -> Vec<u8> {
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("extra", kind)]);
    made(&schema, 1, &[b"\x02a\x02", datum].concat())
}

/// Pieces of memory that reading a schema's text takes, which stand for its steps: each is made for a node, a name or a
/// fault of it.
const MOST_PIECES: u64 = 100_000;

/// What reading a file takes beyond the file itself, of memory at once.
const MOST_MEMORY: u64 = 4 * LIMITS.record_bytes as u64;

fn rejected(schema: &str) -> (String, String) {
    let (plan, file) = (table(), made(schema, 0, b""));
    let mut read = None;
    let taken = measure(|| read = Some(refusal(&plan, &file)));
    assert!(taken.count_total <= MOST_PIECES, "{} for {} bytes", taken.count_total, schema.len());
    let refusal = read.unwrap();
    assert_eq!(refusal.code, Code::SchemaRejected, "{refusal}");
    assert!(!refusal.text.zh.is_ascii() && !refusal.text.en.is_empty(), "{refusal:?}");
    (path(&refusal).to_owned(), refusal.text.en)
}

/// The answer to a file whose block is as large as it lies there, in bounded memory.
fn within_bounds(plan: &Plan, file: &[u8]) -> Result<Body, Refusal> {
    let mut answer = None;
    let taken = measure(|| answer = Some(read(plan, file)));
    assert!(taken.bytes_max <= MOST_MEMORY, "{} for {} bytes", taken.bytes_max, file.len());
    answer.unwrap()
}

/// `depth` arrays around a long.
fn arrays(depth: usize) -> String {
    format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(depth), "}".repeat(depth))
}

#[test]
fn case_03_a_schema_bomb_is_refused_with_the_path_of_the_node() {
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"next","type":["null","R"]}]}"#;
    let (path, text) = rejected(recursive);
    assert_eq!(path, "fields[1].type[1]");
    assert!(text.contains("recursive"), "{text}");

    let (path, text) = rejected(&record(&[&field("x", &arrays(40))]));
    assert!(path.starts_with("fields[0].type.items.items") && text.contains("32"), "{path}: {text}");
    assert_eq!(path.matches("items").count(), MOST_DEPTH - 1);
    // Deeper still it is the text that is not read on; its place is told.
    for depth in [200, 5000] {
        let (_, text) = rejected(&record(&[&field("x", &arrays(depth))]));
        assert!(text.contains("line 1, column 3") && text.contains("nested too deep"), "{text}");
    }
    // As deep as may be: a record, its field's arrays and their long.
    let deep =
        record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("x", &arrays(MOST_DEPTH - 2))]);
    assert!(read(&table(), &made(&deep, 0, b"")).is_ok());

    let many: Vec<String> = (0..10_000).map(|n| field(&format!("f{n}"), "\"null\"")).collect();
    let fields: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(rejected(&record(&fields[..MOST_FIELDS + 1])).0, "fields");
    let large = format!(r#"{{"type":"record","name":"R","doc":"{}","fields":[]}}"#, "x".repeat(1 << 20));
    assert!(rejected(&large).1.contains(&MOST_BYTES.to_string()));
    let symbols: Vec<String> = (0..20_000).map(|n| format!("\"S{n}\"")).collect();
    let symbols = format!(r#"{{"type":"enum","name":"E","symbols":[{}]}}"#, symbols.join(","));
    assert_eq!(rejected(&record(&[&field("e", &symbols)])).0, "fields[0].type.symbols");
    for name in ["a\\u0000b", "a\\u202eb", "1a", "", "名"] {
        assert_eq!(rejected(&record(&[&field(name, "\"long\"")])).0, "fields[0].name", "{name}");
    }
}

#[test]
fn case_03_named_types_used_again_count_again() {
    // Each holds the one before twice: 2^20 fields in a few hundred bytes.
    let mut fields =
        vec![field("f0", r#"{"type":"record","name":"T0","fields":[{"name":"x","type":"long"}]}"#)];
    for n in 1..=20 {
        let kind = format!(
            r#"{{"type":"record","name":"T{n}","fields":[{{"name":"a","type":"T{0}"}},{{"name":"b","type":"T{0}"}}]}}"#,
            n - 1
        );
        fields.push(field(&format!("f{n}"), &kind));
    }
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert!(rejected(&record(&fields)).1.contains("2000"));
    // A chain of named types is as deep as if it were written in place.
    let mut chain =
        vec![field("f0", r#"{"type":"record","name":"T0","fields":[{"name":"x","type":"long"}]}"#)];
    for n in 1..=40 {
        let kind =
            format!(r#"{{"type":"record","name":"T{n}","fields":[{{"name":"a","type":"T{}"}}]}}"#, n - 1);
        chain.push(field(&format!("f{n}"), &kind));
    }
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    assert!(rejected(&record(&chain)).1.contains("32"));
}

#[test]
fn case_03_what_is_no_schema_is_refused() {
    for (schema, path) in [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ("\"strin\"", ""),
        (r#"{"type":"record","name":"R"}"#, "fields"),
        (r#"{"type":"record","fields":[]}"#, "name"),
        (r#"{"type":"record","name":"string","fields":[]}"#, "name"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":[["null"]]}]}"#, "fields[0].type[0]"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#, "fields[0].type"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"a","type":"long"}]}"#,
            "fields[1]",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":-1}}]}"#,
            "fields[0].type.size",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":9223372036854775807}}]}"#,
            "fields[0].type.size",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array"}}]}"#,
            "fields[0].type.items",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"R","size":1}}]}"#,
            "fields[0].type.name",
        ),
    ] {
        assert_eq!(rejected(schema).0, path, "{schema}");
    }
}

#[test]
fn case_04_counts_and_lengths_are_not_believed() {
    let plan = table();
    let long = |value: i64| {
        let mut out = Vec::new();
        crate::avro::binary::put_long(value, &mut out);
        out
    };
    let nulls = r#"{"type":"array","items":"null"}"#;
    let strings = r#"{"type":"array","items":"string"}"#;
    let map = r#"{"type":"map","values":"null"}"#;
    let fixed = r#"{"type":"fixed","name":"F","size":2147483639}"#;
    let empty =
        r#"{"type":"array","items":{"type":"record","name":"N","fields":[{"name":"x","type":"null"}]}}"#;
    for (kind, datum) in [
        (nulls, [long(1 << 30), long(0)].concat()),
        (nulls, [long(i64::MAX), long(0)].concat()),
        (nulls, [long(i64::MIN), long(0), long(0)].concat()),
        (nulls, [long(40_000), long(40_000), long(0)].concat()),
        (empty, [long(1 << 40), long(0)].concat()),
        (strings, [long(1 << 40), long(0)].concat()),
        (strings, [long(-1), long(-5), long(0)].concat()),
        (strings, [long(-1), long(i64::MAX), long(0)].concat()),
        (strings, [long(-1), long(3), long(1), b"x".to_vec(), long(0), long(0)].concat()),
        (map, [long(i64::MAX), long(0)].concat()),
        (fixed, vec![0; 40]),
        ("\"bytes\"", long(1 << 40)),
        ("\"bytes\"", long(-1)),
        ("\"string\"", long(i64::MAX)),
        ("\"long\"", [[0xff; 9].to_vec(), vec![2]].concat()),
        ("\"long\"", [0xff; 11].to_vec()),
        (r#"["null","long"]"#, long(2)),
        (r#"["null","long"]"#, long(-1)),
    ] {
        let refusal = within_bounds(&plan, &with(kind, &datum)).map(|_| ()).unwrap_err();
        assert_eq!((refusal.code, &refusal.extra["index"]), (Code::RecordUndecodable, &json!(0)), "{kind}");
        assert!(!refusal.text.zh.is_ascii() && !refusal.text.en.is_empty(), "{refusal:?}");
    }
    // What the bombs imitate is taken: a few nulls, blocks with their sizes.
    for (kind, datum) in [
        (nulls, [long(1000), long(0)].concat()),
        (strings, [long(-2), long(4), long(1), b"x".to_vec(), long(1), b"y".to_vec(), long(0)].concat()),
        (map, [long(1), long(1), b"k".to_vec(), long(0)].concat()),
    ] {
        assert_eq!(within_bounds(&plan, &with(kind, &datum)).unwrap().records.len(), 1, "{kind}");
    }
}

/// Four times the record limit, beyond the block itself: of records as long as may be, in as many shapes as lengths can
/// be written in.
#[test]
fn case_04_a_record_as_long_as_may_be_takes_no_more_than_four_of_them() {
    let plan = table();
    let room = LIMITS.record_bytes - 100;
    let counted = |bytes: &[u8]| {
        let mut out = Vec::new();
        crate::avro::binary::put_bytes(bytes, &mut out);
        out
    };
    let listed = |count: usize, each: &[u8]| {
        let mut out = Vec::new();
        crate::avro::binary::put_long(count as i64, &mut out);
        out.extend(each.repeat(count));
        out.push(0);
        out
    };
    let longs = r#"{"type":"array","items":"long"}"#;
    let arrays = r#"{"type":"array","items":{"type":"array","items":"null"}}"#;
    let map = r#"{"type":"map","values":"string"}"#;
    for (kind, datum) in [
        ("\"bytes\"", counted(&vec![0; room])),
        ("\"string\"", counted("甲".repeat(room / 3).as_bytes())),
        (longs, listed(room, b"\x02")),
        (arrays, listed(room, b"\x00")),
        (map, listed(room / 4, b"\x02k\x02v")),
    ] {
        let body = within_bounds(&plan, &with(kind, &datum)).unwrap();
        assert_eq!(body.records.len(), 1, "{kind}");
    }
    // As text of an item it is kept once more, encoded anew.
    let text = counted("甲".repeat(room / 3).as_bytes());
    let long = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("note", "\"string\"")]);
    let file = made(&long, 1, &[b"\x02a\x02", &text[..]].concat());
    assert_eq!(within_bounds(&plan, &file).unwrap().records.len(), 1);
}

#[test]
fn case_04_fields_of_no_bytes_cost_nothing_however_often() {
    let nulls: Vec<String> = (0..1900).map(|n| field(&format!("f{n}"), "\"null\"")).collect();
    let kind = format!(
        r#"{{"type":"array","items":{{"type":"record","name":"N","fields":[{},{{"name":"b","type":"boolean"}}]}}}}"#,
        nulls.join(",")
    );
    let mut datum = Vec::new();
    crate::avro::binary::put_long(60_000, &mut datum);
    datum.resize(datum.len() + 60_000, 1);
    datum.push(0);
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("extra", &kind)]);
    let file = made(&schema, 1, &[b"\x02a\x02", &datum[..]].concat());
    // What memory it takes is the schema's, which is bounded by its own size.
    assert_eq!(read(&table(), &file).unwrap().records.len(), 1);
    // A person is not shown a hundred million of them.
    assert_eq!(shown(&file), None);
}

#[test]
fn case_04_records_of_no_bytes_are_counted() {
    let plan = plan("stream", &[], "[[items]]\nname = \"x\"\ntitle = \"x\"\ntype = \"I\"\nnullable = true\n");
    let file = made(&record(&[&field("x", "\"null\"")]), u64::MAX >> 1, b"");
    assert_eq!(within_bounds(&plan, &file).map(|_| ()).unwrap_err().code, Code::BatchTooLarge);
}

#[test]
fn case_05_a_block_inflates_within_bounds() {
    let plan = table();
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("extra", "\"bytes\"")]);
    let mut datum = b"\x02a\x02".to_vec();
    crate::avro::binary::put_bytes(&vec![0; 60_000], &mut datum);
    let bomb = deflated(&schema, 1000, &datum.repeat(1000));
    assert!(bomb.len() * 500 < datum.len() * 1000, "it is a bomb");
    let refusal = refusal(&plan, &bomb);
    assert_eq!((refusal.code, &refusal.extra["limit"]), (Code::DecompressedTooLarge, &json!("limits.ratio")));
    let lax = BodyLimits { ratio: 10_000, ..LIMITS };
    let refusal = try_read(&plan, Format::Avro, &bomb, &lax).map(|_| ()).unwrap_err();
    assert_eq!(
        (refusal.code, &refusal.extra["limit"]),
        (Code::DecompressedTooLarge, &json!("limits.decompressed"))
    );
    // A small file may well grow a hundred times.
    assert_eq!(read(&plan, &deflated(&schema, 10, &datum.repeat(10))).unwrap().records.len(), 10);
}

#[test]
fn case_05_memory_is_asked_for_before_it_is_taken() {
    let plan = table();
    let schema = record(&[&field("id", "\"string\""), &field("n", "\"int\""), &field("extra", "\"bytes\"")]);
    let mut datum = b"\x02a\x02".to_vec();
    crate::avro::binary::put_bytes(&vec![0; 60_000], &mut datum);
    let file = deflated(&schema, 10, &datum.repeat(10));
    let mut asked = 0;
    let mut room = |more: u64| {
        asked += more;
        if asked > 200_000 { Err(Refusal::new(Code::Overloaded, "满", "full")) } else { Ok(()) }
    };
    let batch = crate::avro::tests::batch();
    let refused = crate::avro::read_body(&plan, Format::Avro, &file, &LIMITS, batch, &mut room);
    assert_eq!(refused.map(|_| ()).unwrap_err().code, Code::Overloaded);
    assert!(asked < 300_000, "{asked}");
}

#[test]
fn case_05_no_more_than_a_record_and_a_piece_is_in_memory() {
    let zeros = vec![0_u8; 3 << 20];
    let file = deflated("\"null\"", 1, &zeros);
    let mut layout = Layout::of(&file).unwrap();
    let codec = layout.codec;
    let block = layout.block().unwrap().unwrap();
    let limits = BodyLimits { ratio: 100_000, ..LIMITS };
    let (mut inflated, mut room) = (Inflated::default(), |_| Ok(()));
    let mut window = Window::new(codec, &file[block.data], &limits, &mut inflated, &mut room);
    let mut most = 0;
    loop {
        while window.more().unwrap() {}
        most = most.max(window.held());
        let there = window.bytes().len();
        if there == 0 {
            break;
        }
        window.pass(there.min(1000));
    }
    assert!(most <= 2 * LIMITS.record_bytes, "{most} bytes in memory");
}

#[test]
fn case_22_a_poison_record_is_set_aside_or_ends_the_file_by_name() {
    let plan = table();
    let plain = record(&[&field("id", "\"string\""), &field("n", "\"int\"")]);
    // Undecodable: nothing behind it can be told apart, so the file is refused whole, with the record's place.
    let file = made(&plain, 3, b"\x02a\x02\x01\x02\x02c\x02");
    let refusal = refusal(&plan, &file);
    assert_eq!(
        (refusal.code, &refusal.extra["index"], path(&refusal)),
        (Code::RecordUndecodable, &json!(1), "id")
    );
    // Not UTF-8, a boolean that is none, NaN: these alone are set aside, with their bytes.
    let more = record(&[
        &field("id", "\"string\""),
        &field("n", "\"int\""),
        &field("flag", "\"boolean\""),
        &field("ratio", "\"double\""),
    ]);
    let good = [b"\x02a\x02\x01".to_vec(), 0.5_f64.to_le_bytes().to_vec()].concat();
    let bad = [b"\x02\xff\x02\x02".to_vec(), f64::NAN.to_le_bytes().to_vec()].concat();
    let body = read(&plan, &made(&more, 3, &[&good[..], &bad, &good].concat())).unwrap();
    assert_eq!((body.records.len(), body.bad.len()), (2, 1));
    assert_eq!((body.bad[0].index, &body.bad[0].raw[..]), (1, &bad[..]));
    let words: Vec<_> = body.bad[0].problems.iter().map(|p| (p.path.as_str(), p.reason.as_str())).collect();
    assert_eq!(words, [("id", "not_utf8"), ("flag", "type"), ("ratio", "not_finite")]);
    // A key item cannot be a floating number, so a key of NaN has nowhere to come from.
    let key = record(&[&field("id", "\"string\""), &field("n", "\"double\"")]);
    let refusal = super::refusal(&plan, &made(&key, 1, &[b"\x02a", &f64::NAN.to_le_bytes()[..]].concat()));
    assert_eq!((refusal.code, path(&refusal)), (Code::SchemaRejected, "n"));
}
