//! The written forms of values, in and out, and the words for what is wrong.

use super::*;
use crate::log::LogRecord;

fn table() -> Arc<Plan> {
    plan("table", &["id"], ALL_TYPES)
}

/// What an owner reads back of one record.
fn round(plan: &Plan, format: Format, body: &str) -> serde_json::Value {
    let read = read(plan, format, body);
    assert_eq!(read.bad, vec![]);
    let record = &read.records[0];
    let stored = LogRecord {
        partition: record.partition,
        offset: 5,
        appended_ms: 1_357_034_400_123,
        key: record.key.clone(),
        value: record.value.clone(),
    };
    let mut out = Vec::new();
    plan.owner_line(Generation(1), &stored, &mut Places::default(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The one reason a record is refused for.
fn refused(plan: &Plan, format: Format, body: &str) -> (String, &'static str) {
    let read = read(plan, format, body);
    assert_eq!(read.bad.len(), 1, "{body}");
    assert_eq!(read.bad[0].problems.len(), 1, "{:?}", read.bad[0].problems);
    let problem = &read.bad[0].problems[0];
    (problem.path.clone(), problem.reason.as_str())
}

#[test]
fn every_type_comes_back_in_its_form() {
    let body = r#"{"id":"甲\n","n":-12,"big":9223372036854775807,"money":"1234.5","day":"2013-01-31",
        "at":"2013-01-01T18:00:00.120+08:00","flag":true,"raw":"AP8=","ratio":0.1,"small":0.1,"note":"a\"b","place":"JFK"}"#;
    let line = round(&table(), Format::Ndjson, &body.replace('\n', ""));
    let wanted = serde_json::json!({"id":"甲\n","n":-12,"big":9_223_372_036_854_775_807_i64,"money":"1234.50",
        "day":"2013-01-31","at":"2013-01-01T10:00:00.120Z","flag":true,"raw":"AP8=","ratio":0.1,"small":0.1,
        "note":"a\"b","place":"JFK"});
    assert_eq!(line["record"], wanted);
    assert_eq!(line["published_at"], "2013-01-01T10:00:00.123Z");
    assert!(line["id"].as_str().unwrap().starts_with("1."), "{line}");
}

#[test]
fn absent_and_null_are_the_same_for_a_nullable_item() {
    let plan = table();
    let absent = read(&plan, Format::Ndjson, r#"{"id":"a","n":1}"#);
    let nulls = r#"{"id":"a","n":1,"big":null,"money":null,"day":null,"at":null,"flag":null,"raw":null,"ratio":null,"small":null,"note":null,"place":null}"#;
    assert_eq!(absent.records, read(&plan, Format::Ndjson, nulls).records);
    let csv = read(&plan, Format::Csv, "n,id,note\n1,a,\n");
    assert_eq!(absent.records, csv.records);
    let array = read(&plan, Format::JsonArray, "[ {\"n\":1,\r\n\"id\":\"a\"} ]");
    assert_eq!(absent.records, array.records);
}

#[test]
fn decimals_lose_nothing() {
    let plan = table();
    let money = |raw: &str| {
        round(&plan, Format::Ndjson, &format!(r#"{{"id":"a","n":1,"money":{raw}}}"#))["record"]["money"]
            .clone()
    };
    for (raw, out) in [
        ("12", "12.00"),
        ("-0.5", "-0.50"),
        ("1e3", "1000.00"),
        ("\"1.230\"", "1.23"),
        ("12345678.90", "12345678.90"),
        ("150e-2", "1.50"),
        ("0", "0.00"),
        ("-0", "0.00"),
    ] {
        let wanted = if raw == "\"1.230\"" { "1.23" } else { out };
        assert_eq!(money(raw), wanted, "{raw}");
    }
    for raw in
        ["1.234", "123456789", "1e9", "1e-3", "\"99999999999999999999999999999999999999999\"", "1e999999"]
    {
        let (path, reason) = refused(&plan, Format::Ndjson, &format!(r#"{{"id":"a","n":1,"money":{raw}}}"#));
        assert_eq!((path.as_str(), reason), ("money", "decimal"), "{raw}");
    }
}

#[test]
fn each_fault_is_named_by_path_and_reason() {
    let plan = table();
    let rows = [
        (r#"{"n":1}"#, "id", "missing"),
        (r#"{"id":"a"}"#, "n", "missing"),
        (r#"{"id":"a","n":null}"#, "n", "null"),
        (r#"{"id":"a","n":1,"x":1}"#, "x", "unknown_item"),
        (r#"{"id":"a","n":1,"n":2}"#, "n", "duplicate"),
        (r#"{"id":"123456789","n":1}"#, "id", "length"),
        (r#"{"id":"a\u0000","n":1}"#, "id", "nul"),
        (r#"{"id":1,"n":1}"#, "id", "type"),
        (r#"{"id":"a","n":1.0}"#, "n", "type"),
        (r#"{"id":"a","n":2147483648}"#, "n", "range"),
        (r#"{"id":"a","n":1000000000}"#, "n", "length"),
        (r#"{"id":"a","n":1,"big":9223372036854775808}"#, "big", "range"),
        (r#"{"id":"a","n":1,"day":"2013-02-29"}"#, "day", "date"),
        (r#"{"id":"a","n":1,"day":"2013-2-2"}"#, "day", "date"),
        (r#"{"id":"a","n":1,"at":"2013-01-01T10:00:00.1234Z"}"#, "at", "timestamp"),
        (r#"{"id":"a","n":1,"at":"2013-01-01 10:00:00"}"#, "at", "timestamp"),
        (r#"{"id":"a","n":1,"flag":1}"#, "flag", "type"),
        (r#"{"id":"a","n":1,"raw":"%"}"#, "raw", "base64"),
        (r#"{"id":"a","n":1,"ratio":1e999}"#, "ratio", "range"),
        (r#"{"id":"a","n":1,"small":1e39}"#, "small", "range"),
        (r#"{"id":"a","n":1,"ratio":"NaN"}"#, "ratio", "type"),
        (r#"{"id":"a","n":1,"place":"PEK"}"#, "place", "not_in_values"),
        (r#"{"id":"a","n":1,"$op":"drop"}"#, "$op", "operation"),
        (r#"{"$op":"delete","$op":"upsert","id":"a","n":1}"#, "$op", "duplicate"),
        (r#"["id"]"#, "", "not_an_object"),
        (r#"{"id":"a","n":1"#, "", "not_json"),
        (r#"{"id":"a","n":01}"#, "", "not_json"),
        ("hello", "", "not_json"),
    ];
    for (line, path, reason) in rows {
        assert_eq!(refused(&plan, Format::Ndjson, line), (path.to_owned(), reason), "{line}");
    }
    let rows = [
        ("id,n\na,\n", "n", "null"),
        ("id,n\na\n", "", "columns"),
        ("id,n,ratio\na,1,NaN\n", "ratio", "type"),
        ("id,n,flag\na,1,yes\n", "flag", "type"),
        ("id,n,$op\na,1,drop\n", "$op", "operation"),
        ("n\n1\n", "id", "missing"),
    ];
    for (body, path, reason) in rows {
        assert_eq!(refused(&plan, Format::Csv, body), (path.to_owned(), reason), "{body}");
    }
}

#[test]
fn a_record_is_told_all_its_faults() {
    let plan = table();
    let told = |format: Format, body: &str| {
        let read = read(&plan, format, body);
        assert_eq!((read.records.len(), read.bad.len()), (0, 1), "{body}");
        let problems = read.bad[0].problems.iter();
        problems.map(|problem| format!("{} {}", problem.path, problem.reason.as_str())).collect::<Vec<_>>()
    };
    let line = r#"{"id":"123456789","day":"2013-02-29","x":1,"place":"PEK"}"#;
    let wanted = ["id length", "day date", "x unknown_item", "place not_in_values", "n missing"];
    assert_eq!(told(Format::Ndjson, line), wanted);
    assert_eq!(told(Format::JsonArray, &format!("[{line}]")), wanted);
    let wanted = ["id length", "day date", "flag type", "place not_in_values", "n missing"];
    assert_eq!(told(Format::Csv, "id,day,flag,place\n123456789,2013-02-29,yes,PEK\n"), wanted);
    // A delete needs its key; a record that cannot be read as a whole needs nothing.
    assert_eq!(told(Format::Ndjson, r#"{"$op":"delete","x":1}"#), ["x unknown_item", "id missing"]);
    assert_eq!(told(Format::Ndjson, r#"{"x":1"#), [" not_json", "x unknown_item"]);
    assert_eq!(told(Format::Csv, "id,day\na\n"), [" columns"]);
    // What it lacks beside its key is not known while nobody knows what is to be done with it.
    assert_eq!(told(Format::Ndjson, r#"{"$op":"remove","id":"a"}"#), ["$op operation"]);
    assert_eq!(told(Format::Ndjson, r#"{"n":1,"$op":"DELETE"}"#), ["$op operation", "id missing"]);
    assert_eq!(told(Format::Csv, "id,$op\na,remove\n"), ["$op operation"]);
    let stream = read(&plan_without_key(), Format::Ndjson, r#"{"$op":"delete","n":"x"}"#);
    let reasons: Vec<_> = stream.bad[0].problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(reasons, ["delete_of_stream", "type"]);
}

#[test]
fn of_a_record_twenty_faults_are_told_and_what_is_wrong_with_all_of_it_first() {
    let unknown: String = (0..30).map(|n| format!(r#""x{n}":1,"#)).collect();
    let (table, stream) = (table(), plan_without_key());
    let told = |plan: &Plan, line: &str| {
        let read = read(plan, Format::Ndjson, line);
        let problems = &read.bad[0].problems;
        (problems.len(), problems[0].path.clone(), problems[0].reason.as_str())
    };
    let first = |path: &str, reason| (20, path.to_owned(), reason);
    assert_eq!(told(&table, &format!(r#"{{{unknown}"id":"a"}}"#)), first("x0", "unknown_item"));
    assert_eq!(told(&table, &format!(r#"{{{unknown}"id":"a""#)), first("", "not_json"));
    let delete = format!(r#"{{{unknown}"$op":"delete"}}"#);
    assert_eq!(told(&stream, &delete), first("", "delete_of_stream"));
}

#[test]
fn deletes_need_their_key_only() {
    let plan = table();
    let upsert = read(&plan, Format::Ndjson, r#"{"id":"a","n":1}"#);
    let delete = read(&plan, Format::Ndjson, r#"{"$op":"delete","id":"a"}"#);
    let row = read(&plan, Format::Csv, "$op,id,n\ndelete,a,rubbish\n");
    assert_eq!(delete.records[0].value, None);
    assert_eq!(delete.records[0].key, upsert.records[0].key);
    assert_eq!(delete.records[0].partition, upsert.records[0].partition);
    assert_eq!(delete.records, row.records);
    // Wherever it says so, and however much is wrong with the rest.
    let rest = r#""n":"rubbish","big":1.5,"day":"2013-02-29","flag":"no","raw":"%","ratio":"x","place":"PEK","note":7"#;
    for line in
        [format!(r#"{{"$op":"delete","id":"a",{rest}}}"#), format!(r#"{{{rest},"id":"a","$op":"delete"}}"#)]
    {
        assert_eq!(read(&plan, Format::Ndjson, &line).records, delete.records, "{line}");
        assert_eq!(read(&plan, Format::JsonArray, &format!("[{line}]")).records, delete.records, "{line}");
    }
    // Its key is looked at, and so is what is none of its items.
    for (line, path, reason) in [
        (r#"{"n":"x","id":5,"$op":"delete"}"#, "id", "type"),
        (r#"{"n":"x","m":5,"id":"a","$op":"delete"}"#, "m", "unknown_item"),
        (r#"{"n":"x","n":5,"id":"a","$op":"delete"}"#, "n", "duplicate"),
        (r#"{"n":"x","$op":"delete"}"#, "id", "missing"),
    ] {
        assert_eq!(refused(&plan, Format::Ndjson, line), (path.to_owned(), reason), "{line}");
    }
    let key = refused(&plan, Format::Csv, "n,id,$op\nx,123456789,delete\n");
    assert_eq!(key, ("id".to_owned(), "length"));
    let stream = plan_without_key();
    for (format, body) in
        [(Format::Ndjson, r#"{"n":"x","$op":"delete"}"#), (Format::Csv, "n,$op\nx,delete\n")]
    {
        let problems = &read(&stream, format, body).bad[0].problems;
        let reasons: Vec<_> = problems.iter().map(|problem| problem.reason.as_str()).collect();
        assert_eq!(reasons, ["delete_of_stream", "type"], "there is no delete that it could be");
    }
    assert_eq!(
        refused(&stream, Format::Ndjson, r#"{"$op":"delete","n":1}"#),
        (String::new(), "delete_of_stream")
    );
}

fn plan_without_key() -> Arc<Plan> {
    plan("stream", &[], "[[items]]\nname = \"n\"\ntitle = \"数\"\ntype = \"I\"\n")
}

#[test]
fn a_keyless_batch_stays_in_one_partition() {
    let read = read(&plan_without_key(), Format::Ndjson, "{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}");
    let partitions: Vec<_> = read.records.iter().map(|record| record.partition).collect();
    assert!(partitions.windows(2).all(|pair| pair[0] == pair[1]), "{partitions:?}");
    assert!(read.records.iter().all(|record| record.key.is_none()));
}

#[test]
fn a_bad_record_can_be_read_alone_again() {
    let plan = table();
    let bodies = [
        (Format::Ndjson, Format::Ndjson, "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\"}\n"),
        (Format::JsonArray, Format::Ndjson, "[{\"id\":\"a\",\"n\":1},\n{\"id\":\n\"b\"}]"),
        (Format::Csv, Format::Csv, "id,n\na,1\n\"b\",\n"),
    ];
    for (format, again, body) in bodies {
        let first = read(&plan, format, body);
        assert_eq!((first.records.len(), first.bad.len(), first.bad[0].index), (1, 1, 1));
        let raw = std::str::from_utf8(&first.bad[0].raw).unwrap();
        let second = read(&plan, again, raw);
        assert_eq!(second.bad[0].problems, first.bad[0].problems, "{raw}");
    }
}

#[test]
fn limits_refuse_the_whole_body_by_name() {
    let plan = table();
    let line = "{\"id\":\"a\",\"n\":1}\n";
    let limits = BodyLimits { records: 2, record_bytes: 64, ..LIMITS };
    let code =
        |body: &str| try_read(&plan, Format::Ndjson, body.as_bytes(), &limits).map(|_| ()).unwrap_err().code;
    assert_eq!(code(&line.repeat(3)).as_str(), "batch_too_large");
    assert_eq!(
        code(&format!("{{\"id\":\"a\",\"n\":1,\"note\":\"{}\"}}", "x".repeat(64))).as_str(),
        "record_too_large"
    );
    assert!(try_read(&plan, Format::Ndjson, line.repeat(2).as_bytes(), &limits).is_ok());
    assert!(try_read(&plan, Format::JsonArray, b"{}", &limits).is_err());
    assert!(try_read(&plan, Format::JsonArray, b"[{},", &limits).is_err());
    assert!(try_read(&plan, Format::Csv, b"id,nope\na,1\n", &limits).is_err());
    assert!(try_read(&plan, Format::Csv, b"id,id\na,1\n", &limits).is_err());
    assert!(try_read(&plan, Format::Csv, b"$op,$op,id\ndelete,upsert,a\n", &limits).is_err());
    assert!(try_read(&plan, Format::Csv, b"id,n\na,1\n\"b\"\"\",2\n", &limits).is_ok());
    let cut = try_read(&plan, Format::Csv, b"id,n\n\"a,1\nb,2\n", &limits).map(|_| ()).unwrap_err();
    assert!(cut.text.en.contains("line 2"), "a row cut off inside a quote swallows the rest: {cut}");
}
