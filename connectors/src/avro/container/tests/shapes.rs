//! The outside of files: heads, blocks, codecs, markers, what is left of a record that was set aside.

use apache_avro::types::Value;
use changtong_catalog::error::Code;
use serde_json::json;

use super::*;

fn plain() -> String {
    record(&[&field("id", "\"string\""), &field("n", "\"int\"")])
}

/// `count` records of the plain schema, encoded.
fn data(count: i64) -> Vec<u8> {
    (0..count).flat_map(|n| [b"\x02a".to_vec(), vec![(n % 60) as u8 * 2]].concat()).collect()
}

#[test]
fn a_file_without_records_is_a_file() {
    let plan = table();
    assert_eq!(read(&plan, &head(plain().as_bytes(), MARKER)).unwrap().records, vec![]);
    assert_eq!(read(&plan, &made(&plain(), 0, b"")).unwrap().records, vec![]);
}

#[test]
fn other_codecs_are_refused_by_name() {
    let plan = table();
    let file = made(&plain(), 1, b"\x02a\x02");
    let at = file.windows(5).position(|window| window == b"\x08null").unwrap();
    for (codec, shown) in [("snappy", "snappy"), ("zstandard", "zstandard"), ("x\r\ny", "xy")] {
        let named = [&[codec.len() as u8 * 2][..], codec.as_bytes()].concat();
        let other = [&file[..at], &named, &file[at + 5..]].concat();
        let refusal = refusal(&plan, &other);
        assert_eq!(refusal.code, Code::UnsupportedMediaType);
        assert_eq!(refusal.extra["codec"], shown);
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused_whole() {
    let plan = table();
    for file in [made(&plain(), 5, &data(5)), deflated(&plain(), 5, &data(5))] {
        assert_eq!(read(&plan, &file).unwrap().records.len(), 5);
        let head = Layout::of(&file).unwrap().head();
        for end in (0..file.len()).filter(|end| *end != head) {
            assert_eq!(refusal(&plan, &file[..end]).code, Code::BadRequest, "cut at {end}");
        }
    }
}

#[test]
fn markers_counts_and_leftovers_are_checked() {
    let plan = table();
    let file = made(&plain(), 2, &data(2));
    let mut marker = file.clone();
    *marker.last_mut().unwrap() ^= 1;
    let fewer = made(&plain(), 1, &data(2));
    let more = made(&plain(), 3, &data(2));
    let deflated_fewer = deflated(&plain(), 1, &data(2));
    let behind = [&file[..], b"\0"].concat();
    for (file, code) in [
        (marker, Code::BadRequest),
        (fewer, Code::BadRequest),
        (deflated_fewer, Code::BadRequest),
        (behind, Code::BadRequest),
        (b"Obj\x02".to_vec(), Code::BadRequest),
        (Vec::new(), Code::BadRequest),
        (more, Code::RecordUndecodable),
        (deflated(&plain(), 3, &data(2)), Code::RecordUndecodable),
    ] {
        assert_eq!(refusal(&plan, &file).code, code);
    }
}

#[test]
fn bytes_behind_the_deflated_stream_are_refused_but_for_zlibs_checksum() {
    let plan = table();
    let file = deflated(&plain(), 1, b"\x02a\x02");
    let mut layout = Layout::of(&file).unwrap();
    let start = layout.head();
    let block = layout.block().unwrap().unwrap();
    let longer = |tail: &[u8]| {
        let mut longer = file[..start].to_vec();
        put_block(1, &[&file[block.data.clone()], tail].concat(), MARKER, &mut longer);
        longer
    };
    assert_eq!(refusal(&plan, &longer(b"more than that")).code, Code::BadRequest);
    assert_eq!(read(&plan, &longer(b"sum")).unwrap().records.len(), 1);
}

#[test]
fn a_record_longer_than_a_piece_is_read_from_a_deflated_block() {
    let plan =
        plan("table", &["id"], "[[items]]\nname = \"id\"\ntitle = \"编号\"\ntype = \"C\"\nlength = 99999\n");
    let schema = record(&[&field("id", "\"string\"")]);
    let text = |n: usize| {
        let mut out = Vec::new();
        let letters: String = (0..n).map(|at| char::from(b'a' + (at * at % 26) as u8)).collect();
        crate::avro::binary::put_bytes(letters.as_bytes(), &mut out);
        out
    };
    let records = [text(30_000), text(3), text(31_000), text(29)].concat();
    let body = read(&plan, &deflated(&schema, 4, &records)).unwrap();
    assert_eq!((body.records.len(), body.bad.len()), (4, 0));
    let limits = BodyLimits { record_bytes: 20_000, ..LIMITS };
    for file in [made(&schema, 4, &records), deflated(&schema, 4, &records)] {
        let refusal = try_read(&plan, Format::Avro, &file, &limits).map(|_| ()).unwrap_err();
        assert_eq!((refusal.code, &refusal.extra["index"]), (Code::RecordTooLarge, &json!(0)));
    }
}

#[test]
fn a_record_set_aside_is_a_file_that_is_shown_and_taken_again() {
    let plan = table();
    let schema = record(&[
        &field("id", "\"string\""),
        &field("n", "\"int\""),
        &field("ratio", "\"double\""),
        &field("day", r#"{"type":"int","logicalType":"date"}"#),
        &field("money", r#"{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}"#),
        &field("tags", r#"{"type":"array","items":["null",{"type":"enum","name":"E","symbols":["A","B"]}]}"#),
    ]);
    let row = |ratio: f64| {
        let tags = vec![
            Value::Union(0, Box::new(Value::Null)),
            Value::Union(1, Box::new(Value::Enum(1, "B".into()))),
        ];
        Value::Record(vec![
            ("id".into(), Value::String("甲".into())),
            ("n".into(), Value::Int(1)),
            ("ratio".into(), Value::Double(ratio)),
            ("day".into(), Value::Date(0)),
            ("money".into(), Value::Decimal(vec![5].into())),
            ("tags".into(), Value::Array(tags)),
        ])
    };
    for deflate in [false, true] {
        let body = read(&plan, &written(&schema, vec![row(0.5), row(f64::NAN)], deflate)).unwrap();
        assert_eq!((body.records.len(), body.bad.len()), (1, 1));
        let mut file = Vec::new();
        alone(&body.head, &body.bad[0].raw, &mut file);
        let seen = json!({"id":"甲","n":1,"ratio":"NaN","day":"1970-01-01","money":"0.05","tags":[null,"B"]});
        assert_eq!(shown(&file).unwrap(), seen);
        assert_eq!(reasons(&plan, &file), [("ratio".to_owned(), "not_finite")]);
    }
    assert_eq!(shown(b"no file"), None);
}
