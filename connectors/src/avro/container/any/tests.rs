//! Files of any schema: what is written is shown as it was, what is foreign is weighed before it is believed.

use apache_avro::types::Value;
use apache_avro::{Codec as Theirs, Schema as Parsed, Writer};
use changtong_catalog::error::{Code, Refusal};

use super::super::{Codec, head, put_block};
use super::{schema_text, show, write};

const MARKER: [u8; 16] = *b"0123456789abcdef";

/// Everything that a flat record has not.
const NESTED: &str = r#"{"type":"record","name":"Report","namespace":"cn.example","fields":[
  {"name":"id","type":"long"},
  {"name":"place","type":{"type":"record","name":"Place","fields":[
    {"name":"name","type":"string"},{"name":"at","type":{"type":"array","items":"double"}}]}},
  {"name":"before","type":["null","Place"],"default":null},
  {"name":"tags","type":{"type":"map","values":["null","long",{"type":"array","items":"string"}]}},
  {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["WIND","RAIN"]}},
  {"name":"day","type":{"type":"int","logicalType":"date"}},
  {"name":"seen","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"sent","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
  {"name":"fee","type":{"type":"fixed","name":"Fee","size":8,"logicalType":"decimal","precision":18,"scale":3}},
  {"name":"key","type":{"type":"string","logicalType":"uuid"}},
  {"name":"raw","type":"bytes"},
  {"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
  {"name":"share","type":"float"},
  {"name":"flag","type":["boolean","null"]}]}"#;

const LINES: [&str; 2] = [
    r#"{"id":-7,"place":{"name":"一\"二\n","at":[0.25,-1.5]},"before":null,"tags":{"a":null,"b":9007199254740993,"c":["x","y"]},"kind":"RAIN","day":"1969-12-31","seen":"2013-01-01T10:00:00.120Z","sent":"2013-01-01T10:00:00.000001Z","price":"-0.05","fee":"123456789012345.678","key":"01234567-89ab-cdef-0123-456789abcdef","raw":"AP8=","hash":"AQIDBA==","share":0.1,"flag":true}"#,
    r#"{"id":9223372036854775807,"place":{"name":"","at":[]},"before":{"name":"p","at":[1.0]},"tags":{},"kind":"WIND","day":"2026-01-31","seen":"1969-12-31T23:59:59.999Z","sent":"1970-01-01T00:00:00.000000Z","price":"12345678.90","fee":"-0.001","key":"00000000-0000-0000-0000-000000000000","raw":"","hash":"AAAAAA==","share":-0.0,"flag":null}"#,
];

fn made(schema: &str, lines: &str, codec: Codec) -> Result<Vec<u8>, Refusal> {
    let mut file = Vec::new();
    write(schema.as_bytes(), &mut lines.as_bytes(), codec, &mut file).map(|_| file)
}

fn shown(file: &[u8], most: u64) -> (Vec<String>, Result<u64, Refusal>) {
    let mut lines = Vec::new();
    let told = show(file, most, &mut |line| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        Ok(())
    });
    (lines, told)
}

fn refused(file: &[u8]) -> Refusal {
    shown(file, u64::MAX).1.unwrap_err()
}

fn file(schema: &str, records: u64, data: &[u8]) -> Vec<u8> {
    let mut file = head(schema.as_bytes(), MARKER);
    put_block(records, data, MARKER, &mut file);
    file
}

#[test]
fn what_is_written_is_shown_as_it_was() {
    for codec in [Codec::Null, Codec::Deflate] {
        let file = made(NESTED, &LINES.join("\n"), codec).unwrap();
        assert_eq!(shown(&file, u64::MAX), (LINES.map(str::to_owned).to_vec(), Ok(2)), "{codec:?}");
        assert_eq!(shown(&file, 1), (vec![LINES[0].to_owned()], Ok(1)));
    }
    let many: String = (0..20_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let plain = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#;
    for codec in [Codec::Null, Codec::Deflate] {
        let (lines, told) = shown(&made(plain, &many, codec).unwrap(), u64::MAX);
        assert_eq!((lines.join("\n") + "\n", told), (many.clone(), Ok(20_000)), "many pieces");
    }
    let (lines, told) = shown(&made(plain, "\n \n", Codec::Null).unwrap(), u64::MAX);
    assert_eq!((lines.len(), told), (0, Ok(0)), "a file without a record is one");
}

#[test]
fn a_schema_is_shown_in_its_own_order() {
    let schema = r#"{"type":"record","name":"R","unit":"a\"{,\\","fields":[{"name":"x","type":["null","long"],"标":[]},{"name":"y","type":{"type":"map","values":"int","x":{}}}]}"#;
    let text = schema_text(&file(schema, 0, b"")).unwrap();
    assert_eq!(
        text.lines().take(4).collect::<Vec<_>>(),
        ["{", "  \"type\": \"record\",", "  \"name\": \"R\",", "  \"unit\": \"a\\\"{,\\\\\","]
    );
    assert!(text.contains("\"标\": []") && text.contains("\"x\": {}"), "{text}");
    let as_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(as_json(&text), as_json(schema));
    assert_eq!(schema_text(&file(&text, 0, b"")).unwrap(), text, "what stands in lines stays so");
}

/// Each would end the process, or take gigabytes, if apache-avro were given it.
#[test]
fn bombs_are_refused_by_name() {
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"#;
    let refusal = refused(&file(recursive, 1, &[2; 501]));
    assert_eq!((refusal.code, &refusal.extra["path"]), (Code::SchemaRejected, &"fields[0].type[1]".into()));
    let nulls = r#"{"type":"array","items":"null"}"#;
    // 2^30 elements of no bytes.
    let refusal = refused(&file(nulls, 1, &[0x80, 0x80, 0x80, 0x80, 0x08, 0]));
    assert_eq!(refusal.code, Code::RecordUndecodable);
    assert!(refusal.text.en.contains("too many elements"), "{refusal}");
    let longs = r#"{"type":"array","items":"long"}"#;
    assert_eq!(refused(&file(longs, 1, &[0x80, 0x80, 0x80, 0x80, 0x08, 0])).code, Code::RecordUndecodable);
    // As many empty elements as may be, each of a thousand names.
    let fields: Vec<_> = (0..1000).map(|n| format!(r#"{{"name":"f{n}","type":"null"}}"#)).collect();
    let wide = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","));
    let wide = format!(r#"{{"type":"array","items":{wide}}}"#);
    let refusal = refused(&file(&wide, 1, &[0x80, 0x80, 0x08, 0]));
    assert_eq!(refusal.code, Code::RecordTooLarge);
    assert!(refusal.text.en.contains("64 MiB"), "{refusal}");
    let refusal = refused(&file("\"null\"", 1 << 60, b""));
    assert!(refusal.code == Code::BadRequest && refusal.text.en.contains("take no bytes"), "{refusal}");
    // A length within a value of one byte, and a number of a thousand bytes.
    let big = r#"{"type":"bytes","logicalType":"big-decimal"}"#;
    let long = [&[0xd6, 0x0f, 0xd0, 0x0f][..], &[1; 1000], &[0]].concat();
    for datum in [&[0x0a, 0x80, 0x80, 0x80, 0x80, 0x02][..], &long[..]] {
        assert_eq!(refused(&file(big, 1, datum)).code, Code::RecordUndecodable);
    }
    assert_eq!(shown(&file("\"null\"", 3, b""), u64::MAX), (vec!["null".to_owned(); 3], Ok(3)));
    assert_eq!(refused(b"PK\x03\x04").code, Code::BadRequest);
}

#[test]
fn what_lies_before_damage_is_shown_and_the_place_told() {
    let plain = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}}]}"#;
    let whole = file(plain, 2, &[2, 0, 4, 2]);
    let both = [r#"{"n":1,"e":"A"}"#.to_owned(), r#"{"n":2,"e":"B"}"#.to_owned()];
    assert_eq!(shown(&whole, u64::MAX), (both.to_vec(), Ok(2)));
    for end in 0..whole.len() {
        let (lines, told) = shown(&whole[..end], u64::MAX);
        let head = head(plain.as_bytes(), MARKER).len();
        assert_eq!(
            (lines.len(), told.is_err()),
            (0, end != head),
            "{end}: a file may end behind its head alone"
        );
    }
    for (data, said) in [
        // What apache-avro finds out, and what the walk does.
        (&[2, 0, 4, 4][..], "2"),
        (&[2, 0, 4][..], "ends behind"),
        (&[2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], "more than 64 bits"),
    ] {
        let (lines, told) = shown(&file(plain, 2, data), u64::MAX);
        let refusal = told.unwrap_err();
        assert_eq!((lines.as_slice(), refusal.code), (&both[..1], Code::RecordUndecodable), "{refusal}");
        assert_eq!(refusal.extra["index"], 1);
        assert!(refusal.text.en.contains(said), "{refusal}");
    }
    assert_eq!(refused(&file(plain, 1, &[2, 0, 4, 2])).code, Code::BadRequest, "bytes behind the records");
    let text = r#"{"type":"record","name":"R","fields":[{"name":"s","type":"string"}]}"#;
    assert_eq!(refused(&file(text, 1, &[2, 0xff])).code, Code::RecordUndecodable, "no UTF-8");
}

/// What others write that no line of ours means.
#[test]
fn what_json_has_no_form_for_is_shown_in_words() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"d","type":"double"},{"name":"f","type":"float"},{"name":"t","type":{"type":"int","logicalType":"time-millis"}},{"name":"b","type":{"type":"bytes","logicalType":"big-decimal"}},{"name":"day","type":{"type":"int","logicalType":"date"}}]}"#;
    let parsed = Parsed::parse_str(schema).unwrap();
    let mut writer = Writer::with_codec(&parsed, Vec::new(), Theirs::Null).unwrap();
    let field = |name: &str, value| (name.to_owned(), value);
    let record = Value::Record(vec![
        field("d", Value::Double(f64::NAN)),
        field("f", Value::Float(f32::NEG_INFINITY)),
        field("t", Value::TimeMillis(7)),
        field("b", Value::BigDecimal("12.50".parse().unwrap())),
        field("day", Value::Date(i32::MAX)),
    ]);
    writer.append_value_ref(&record).unwrap();
    let (lines, told) = shown(&writer.into_inner().unwrap(), u64::MAX);
    assert_eq!(told, Ok(1));
    assert_eq!(lines, [r#"{"d":"NaN","f":"-inf","t":7,"b":"12.50","day":2147483647}"#]);
    let words =
        r#"{"type":"record","name":"R","fields":[{"name":"d","type":"double"},{"name":"f","type":"float"}]}"#;
    let line = r#"{"d":"inf","f":"NaN"}"#;
    assert_eq!(shown(&made(words, line, Codec::Null).unwrap(), u64::MAX).0, [line]);
}

#[test]
fn a_line_that_does_not_fit_is_named_with_its_place() {
    let at = |line: &str| {
        let refusal = made(NESTED, &[LINES[0], "", line].join("\n"), Codec::Null).unwrap_err();
        assert_eq!(refusal.code, Code::RecordsInvalid, "{refusal}");
        assert!(refusal.text.zh.starts_with("有 1 行") && refusal.text.zh.contains("第 3 行"), "{refusal}");
        refusal.text.en.split_once("line 3").unwrap().1.to_owned()
    };
    let with = |from: &str, to: &str| {
        assert!(LINES[1].contains(from), "{from}");
        at(&LINES[1].replace(from, to))
    };
    assert_eq!(with("\"at\":[1.0]", "\"at\":[1.0,\"x\"]"), " before.at[1]: it is no double");
    assert_eq!(with("\"kind\":\"WIND\"", "\"kind\":\"SNOW\""), " kind: it is no enum (WIND, RAIN)");
    assert_eq!(with("\"kind\":\"WIND\",", ""), " kind: it is missing");
    assert_eq!(with("\"id\":", "\"other\":1,\"id\":"), " other: the schema has no such field");
    assert_eq!(with("2026-01-31", "2026-02-30"), " day: it is no date (\"2026-01-31\")");
    assert!(with("\"12345678.90\"", "\"1.234\"").starts_with(" price: it is no decimal (10, 2"));
    assert!(with("\"12345678.90\"", "\"123456789.00\"").starts_with(" price: it is no decimal (10, 2"));
    assert!(with("\"12345678.90\"", "1.5").starts_with(" price: it is no decimal (10, 2"));
    assert_eq!(with("\"AAAAAA==\"", "\"AAAA\""), " hash: it is no fixed (4; base64)");
    assert_eq!(with("\"tags\":{}", "\"tags\":{\"z\":true}"), " tags.z: it is none of null, long, array");
    assert_eq!(with("\"flag\":null", "\"flag\":1"), " flag: it is no boolean");
    assert_eq!(with("9223372036854775807", "9223372036854775808"), " id: it is no long");
    assert_eq!(with("\"share\":-0.0", "\"share\":1e300"), " share: it is no float");
    assert_eq!(with("00000000-0000-0000-0000-000000000000", "no"), " key: it is no uuid");
    assert!(at("{\"id\":").starts_with(": it is no line of JSON"));
    assert_eq!(at("[]"), ": it is no record");
    let left_out = LINES[1].replace(",\"flag\":null", "");
    let file = made(NESTED, &left_out, Codec::Null).unwrap();
    assert_eq!(shown(&file, u64::MAX).0, [LINES[1]], "what may be null is so where it is left out");
    let many = made(NESTED, &"{}\n".repeat(30), Codec::Null).unwrap_err().text.en;
    assert!(
        many.starts_with("30 lines") && many.contains("line 20 id") && !many.contains("line 21"),
        "{many}"
    );
}

#[test]
fn a_schema_that_is_none_or_holds_itself_makes_no_file() {
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"#;
    for schema in ["", "{", "\"strin\"", recursive] {
        assert_eq!(made(schema, "null", Codec::Null).unwrap_err().code, Code::SchemaRejected, "{schema}");
    }
}
