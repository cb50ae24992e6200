//! Texts within every limit of size that would cost much to read (trust.md, case 3): what reading them takes is counted,
//! in memory and in allocations, never timed.

use allocation_counter::measure;

use crate::avro::{MOST_BYTES, Rules, parse, parse_with};

const MIB: u64 = 1 << 20;

/// What reading a text takes: bytes at most, allocations in all.
fn taken(text: &str, rules: Rules) -> (u64, u64) {
    assert!(text.len() <= MOST_BYTES, "{}", text.len());
    let used = measure(|| drop(parse(text, rules)));
    (used.bytes_max, used.count_total)
}

fn first_fault(text: &str, references: &[&str]) -> (String, String) {
    let faults = parse_with(text, references, Rules::FREE).unwrap_err();
    let fault = faults.iter().next().unwrap();
    (fault.path.clone(), fault.text.en.clone())
}

fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

/// Each `{}` of the default asks every branch but the last in vain.
fn branches_by_values(fields: usize) -> String {
    let mut branches: Vec<_> =
        (0..255).map(|n| record(&format!("R{n}"), r#"{"name":"x","type":"int"}"#)).collect();
    branches.push(record("Z", ""));
    let named: Vec<_> = (0..255).map(|n| format!("\"R{n}\"")).chain(["\"Z\"".to_owned()]).collect();
    let defined = format!(r#"{{"name":"d","type":[{}]}}"#, branches.join(","));
    let field = |n: usize, values: &str| {
        format!(
            r#"{{"name":"f{n}","type":{{"type":"array","items":[{}]}},"default":[{values}]}}"#,
            named.join(",")
        )
    };
    let empty = format!("{},{}", defined, (0..fields).map(|n| field(n, "")).collect::<Vec<_>>().join(","));
    let each = (MOST_BYTES - record("T", &empty).len()) / 3 / fields;
    let values = vec!["{}"; each].join(",");
    record(
        "T",
        &format!("{},{}", defined, (0..fields).map(|n| field(n, &values)).collect::<Vec<_>>().join(",")),
    )
}

#[test]
fn a_default_that_asks_each_branch_for_each_value_is_refused_at_little_cost() {
    for fields in [1, 20, 60] {
        let text = branches_by_values(fields);
        let (path, why) = first_fault(&text, &[]);
        let (most, count) = taken(&text, Rules::FREE);
        assert!(why.contains("300000 steps"), "{path}: {why}");
        assert!(path.ends_with(".default"), "{path}");
        assert!(most < 64 * MIB, "{} MiB", most / MIB);
        assert!(count < 1_000_000, "{count} allocations");
    }
}

#[test]
fn a_default_of_a_record_with_many_fields_counts_each() {
    let inner: Vec<_> = (0..1990).map(|n| format!(r#"{{"name":"f{n}","type":"int","default":0}}"#)).collect();
    let inner = record("Inner", &inner.join(","));
    let values = vec!["{}"; 40_000].join(",");
    let text = record(
        "T",
        &format!(r#"{{"name":"f","type":{{"type":"array","items":{inner}}},"default":[{values}]}}"#),
    );
    assert_eq!(first_fault(&text, &[]).0, "fields[0].default");
    let few = text.replace(&values, &vec!["{}"; 70].join(","));
    assert!(parse(&few, Rules::FREE).is_ok());
}

#[test]
fn a_long_default_of_plain_values_is_taken() {
    let values = vec!["1"; 131_000].join(",");
    let text = record(
        "T",
        &format!(r#"{{"name":"f","type":{{"type":"array","items":"int"}},"default":[{values}]}}"#),
    );
    assert!(text.len() <= MOST_BYTES && parse(&text, Rules::FREE).is_ok());
}

/// Records of which each holds the one before it, by name.
fn chain(from: usize, records: usize) -> String {
    let one = |n: usize| {
        let below = if n == 0 { "null".to_owned() } else { format!("R{}", n - 1) };
        let null = if n == 0 { "" } else { r#""null","# };
        let kinds = format!(r#"[{null}"int","long","float","double","string","bytes","boolean","{below}"]"#);
        record(&format!("R{n}"), &format!(r#"{{"name":"f","type":{kinds}}}"#))
    };
    // A union holds 256 types at most, so they stand in fields.
    let fields: Vec<_> =
        (from..from + records).map(|n| format!(r#"{{"name":"r{n}","type":{}}}"#, one(n))).collect();
    record(&format!("All{from}"), &fields.join(","))
}

#[test]
fn what_is_below_a_named_type_is_walked_once() {
    let text = chain(0, 990);
    assert!(parse(&text, Rules::FREE).is_ok());
    let (most, count) = taken(&text, Rules::FREE);
    assert!(most < 32 * MIB, "{} MiB", most / MIB);
    assert!(count < 250_000, "{count} allocations");
    let (_, of_half) = taken(&chain(0, 495), Rules::FREE);
    assert!(count < of_half * 5 / 2, "twice the text is twice the work: {of_half}, {count}");
}

#[test]
fn what_it_refers_to_is_walked_once_however_much_refers_to_it() {
    let texts: Vec<String> = (0..90).map(|n| chain(n * 10, 10)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let count =
        |texts: &[&str]| measure(|| assert!(parse_with(r#""R9""#, texts, Rules::STORED).is_ok())).count_total;
    let (half, all) = (count(&texts[..45]), count(&texts));
    assert!(all < half * 5 / 2, "{half}, {all}");
}

#[test]
fn walks_within_walks_are_counted() {
    // What leads down the chain comes first, so all of it is begun when the names behind it begin walks of their own,
    // each of which goes down the chain anew.
    let (long, many) = (400, 380);
    let mut fields = Vec::new();
    let last: Vec<_> = (0..many).map(|n| format!(r#"{{"name":"u{n}","type":"U{n}"}}"#)).collect();
    fields.push(format!(r#"{{"name":"c0","type":{}}}"#, record("C0", &last.join(","))));
    for n in 1..long {
        let kinds = format!(r#"["int","long","float","double","string","bytes","boolean","C{}"]"#, n - 1);
        let of = record(&format!("C{n}"), &format!(r#"{{"name":"f","type":{kinds}}}"#));
        fields.push(format!(r#"{{"name":"c{n}","type":{of}}}"#));
    }
    for n in 0..many {
        let of = record(&format!("U{n}"), &format!(r#"{{"name":"f","type":"C{}"}}"#, long - 1));
        fields.push(format!(r#"{{"name":"d{n}","type":{of}}}"#));
    }
    let text = record("All", &fields.join(","));
    let (path, why) = first_fault(&text, &[]);
    assert!(path.is_empty() && why.contains("1000000 steps"), "{path}: {why}");
    let (most, count) = taken(&text, Rules::FREE);
    assert!(most < 64 * MIB, "{} MiB", most / MIB);
    assert!(count < 1_000_000, "{count} allocations");
}
