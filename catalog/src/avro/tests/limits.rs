//! Hostile schemas (trust.md, case 3) are refused at their limit, told where, without a deep stack.

use crate::avro::{
    MOST_ALIASES, MOST_BRANCHES, MOST_BYTES, MOST_DEPTH, MOST_FIELDS, MOST_NAME, MOST_NAMED, MOST_SYMBOLS,
    Rules, Schema, parse,
};

fn path(text: &str, rules: Rules) -> String {
    parse(text, rules).unwrap_err().iter().next().unwrap().path.clone()
}

fn taken(text: &str, rules: Rules) -> Schema {
    parse(text, rules).unwrap()
}

/// `array` of `array` of …, so many types in all.
fn arrays(depth: usize) -> String {
    format!(r#"{}"int"{}"#, r#"{"type":"array","items":"#.repeat(depth - 1), "}".repeat(depth - 1))
}

#[test]
fn depth_is_bounded() {
    taken(&arrays(MOST_DEPTH), Rules::FREE);
    assert_eq!(path(&arrays(MOST_DEPTH + 1), Rules::FREE), ["items"; MOST_DEPTH].join("."));
    assert!(parse(&arrays(5000), Rules::FREE).is_err());
    assert!(parse(&"[".repeat(MOST_BYTES), Rules::FREE).is_err());
}

#[test]
fn what_is_only_named_counts_where_nothing_may_hold_itself() {
    // Each record holds the one before it by name: nested in no text, and 40 deep once written out.
    let chain = |records: usize| {
        let one = |n: usize| match n {
            0 => r#"{"type":"record","name":"R0","fields":[]}"#.to_owned(),
            n => {
                format!(r#"{{"type":"record","name":"R{n}","fields":[{{"name":"f","type":"R{}"}}]}}"#, n - 1)
            }
        };
        format!("[{}]", (0..records).map(one).collect::<Vec<_>>().join(","))
    };
    taken(&chain(40), Rules::FREE);
    taken(&chain(MOST_DEPTH - 1), Rules::RESOURCE);
    assert_eq!(path(&chain(40), Rules::RESOURCE), "[32]");
    // Each holds the one before it twice: 2⁴⁰ fields in all.
    let twice =
        chain(20).replace(r#"[{"name":"f","type":""#, r#"[{"name":"g","type":"int"},{"name":"f","type":""#);
    taken(&twice, Rules::RESOURCE);
    let doubled: Vec<_> = (0..20)
        .map(|n| match n {
            0 => r#"{"type":"record","name":"R0","fields":[]}"#.to_owned(),
            n => format!(
                r#"{{"type":"record","name":"R{n}","fields":[{{"name":"f","type":"R{m}"}},{{"name":"g","type":"R{m}"}}]}}"#,
                m = n - 1
            ),
        })
        .collect();
    let doubled = format!("[{}]", doubled.join(","));
    taken(&doubled, Rules::FREE);
    assert_eq!(path(&doubled, Rules::RESOURCE), "[10]");
}

#[test]
fn a_text_that_would_be_too_deep_once_written_is_refused() {
    // Each record names the next, which is defined behind it: Java writes all of them into the first.
    let one = |n: usize| {
        format!(r#"{{"type":"record","name":"R{n}","fields":[{{"name":"f","type":["null","R{}"]}}]}}"#, n + 1)
    };
    let chain = |records: usize| {
        let last = format!(r#"{{"type":"record","name":"R{records}","fields":[]}}"#);
        format!("[{},{last}]", (0..records).map(one).collect::<Vec<_>>().join(","))
    };
    let written = taken(&chain(15), Rules::FREE).canonical();
    assert_eq!(taken(&written, Rules::FREE).canonical(), written);
    assert!(path(&chain(16), Rules::FREE).contains("fields[0].type"), "{}", path(&chain(16), Rules::FREE));
    assert!(parse(&chain(1500), Rules::FREE).is_err());
}

#[test]
fn a_type_that_holds_itself_is_taken_where_it_may() {
    for (text, place) in [
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}"#, "fields[0].type[1]"),
        (
            r#"{"type":"record","name":"A","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"a","type":{"type":"array","items":"A"}}]}}]}"#,
            "fields[0].type.fields[0].type.items",
        ),
        (
            r#"[{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]},{"type":"record","name":"B","fields":[{"name":"a","type":["null","A"]}]}]"#,
            "[1].fields[0].type",
        ),
    ] {
        taken(text, Rules::FREE);
        assert_eq!(path(text, Rules::RESOURCE), place);
        assert_eq!(path(text, Rules::FILE), place);
    }
}

#[test]
fn sizes_are_bounded() {
    let record = |fields: usize| {
        let fields: Vec<_> = (0..fields).map(|n| format!(r#"{{"name":"f{n}","type":"int"}}"#)).collect();
        format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","))
    };
    taken(&record(MOST_FIELDS), Rules::RESOURCE);
    assert_eq!(path(&record(MOST_FIELDS + 1), Rules::FREE), "fields");

    let symbols = |count: usize| {
        let symbols: Vec<_> = (0..count).map(|n| format!(r#""s{n}""#)).collect();
        format!(r#"{{"type":"enum","name":"E","symbols":[{}]}}"#, symbols.join(","))
    };
    taken(&symbols(MOST_SYMBOLS), Rules::RESOURCE);
    assert_eq!(path(&symbols(MOST_SYMBOLS + 1), Rules::FREE), "symbols");

    let union = |of: std::ops::Range<usize>| {
        let types: Vec<_> = of.map(|n| format!(r#"{{"type":"fixed","name":"F{n}","size":1}}"#)).collect();
        format!("[{}]", types.join(","))
    };
    taken(&union(0..MOST_BRANCHES), Rules::RESOURCE);
    assert_eq!(path(&union(0..MOST_BRANCHES + 1), Rules::FREE), "");
    let fields: Vec<_> =
        (0..8).map(|n| format!(r#"{{"name":"f{n}","type":{}}}"#, union(n * 255..(n + 1) * 255))).collect();
    let many = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","));
    const { assert!(255 * 8 > MOST_NAMED) };
    assert!(path(&many, Rules::FREE).starts_with("fields[7].type["));

    let named = |length: usize| format!(r#"{{"type":"fixed","name":"{}","size":1}}"#, "n".repeat(length));
    taken(&named(MOST_NAME), Rules::RESOURCE);
    assert_eq!(path(&named(MOST_NAME + 1), Rules::FREE), "name");

    let aliases = |count: usize| {
        let aliases: Vec<_> = (0..count).map(|n| format!(r#""a{n}""#)).collect();
        let aliases = aliases.join(",");
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":"int","aliases":[{aliases}]}}],"aliases":[{aliases}]}}"#
        )
    };
    taken(&aliases(MOST_ALIASES), Rules::RESOURCE);
    assert_eq!(path(&aliases(MOST_ALIASES + 1), Rules::FREE), "aliases");

    let long = format!(r#"{{"type":"string","x":"{}"}}"#, "x".repeat(MOST_BYTES - 25));
    taken(&long[..], Rules::FREE);
    assert_eq!(path(&format!("{long}{}", " ".repeat(MOST_BYTES)), Rules::FREE), "");
}

#[test]
fn a_default_that_asks_every_branch_of_every_level_is_judged_in_good_time() {
    // Two records in each union, each with a union of the level below: without a memory, 2³⁰ questions.
    let mut text = r#""int""#.to_owned();
    for level in 0..14 {
        let record = |which: &str, within: &str| {
            format!(
                r#"{{"type":"record","name":"{which}{level}","fields":[{{"name":"f","type":{within}}}]}}"#
            )
        };
        let below =
            if level == 0 { r#""int""#.to_owned() } else { format!(r#"["A{n}","B{n}"]"#, n = level - 1) };
        text = format!("[{},{}]", record("A", &text), record("B", &below));
    }
    let value = format!(r#"{}"no"{}"#, r#"{"f":"#.repeat(14), "}".repeat(14));
    let text = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{text},"default":{value}}}]}}"#
    );
    assert_eq!(path(&text, Rules::FREE), "fields[0].default");
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":"int","default":"x"},
        {"name":"1","type":"int"},
        {"name":"b","type":["null",["int"],{"type":"enum","name":"E","symbols":["P","P"]}]},
        {"name":"c","type":{"type":"map"}},
        {"name":"d","type":"int","order":"up"},
        {"name":"e","type":{"type":"record","name":"S","fields":[{"name":"x"}]}},
        {"name":"a","type":"int"}, 7]}"#;
    let faults = parse(text, Rules::FREE).unwrap_err();
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "fields[0].default",
            "fields[1].name",
            "fields[2].type[1]",
            "fields[2].type[2].symbols[1]",
            "fields[3].type.values",
            "fields[4].order",
            "fields[5].type.fields[0].type",
            "fields[7]",
        ]
    );
    let refusal = faults.refusal("schema");
    assert_eq!(refusal.code, crate::error::Code::SchemaRejected);
    assert_eq!(refusal.extra["path"], "schema.fields[0].default");
    assert_eq!(refusal.extra["total"], 8);

    let undefined = parse(r#"["A",{"type":"array","items":"n.B"}]"#, Rules::FREE).unwrap_err();
    let paths: Vec<_> = undefined.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["[1].items", "[0]"]);

    let json = parse("{\n  \"type\": int}", Rules::FREE).unwrap_err();
    assert!(json.iter().next().unwrap().text.en.starts_with("line 2, column 11"), "{json:?}");
}

#[test]
fn a_name_that_is_taken_is_told_where_it_comes_again() {
    for (text, place) in [
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"R","size":1}}]}"#,
            "fields[0].type.name",
        ),
        (r#"[{"type":"fixed","name":"X","size":1},{"type":"fixed","name":"X","size":2}]"#, "[1].name"),
    ] {
        assert_eq!(path(text, Rules::FREE), place);
    }
}

#[test]
fn what_a_registry_took_before_stays_readable() {
    let text = r#"{"type":"record","name":"记录-1","namespace":"a..b","fields":[{"name":"名","type":"int","default":"x"}]}"#;
    assert!(parse(text, Rules::FREE).is_err());
    assert_eq!(taken(text, Rules::STORED).canonical(), text);
    assert_eq!(taken(text, Rules::STORED).place(taken(text, Rules::STORED).top()), "");
}
