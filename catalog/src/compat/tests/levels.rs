//! The seven levels over Java's verdicts, and what a registry answers.

use super::java::families;
use crate::avro::{Rules, Schema, parse};
use crate::compat::{Level, Policy, breaks};

#[test]
fn levels_are_what_java_says_of_each_version() {
    for family in families() {
        let (new, earlier) = family.schemas.split_last().unwrap();
        let newest_first: Vec<&Schema> = earlier.iter().rev().collect();
        let last = earlier.len();
        let reads = |reader: usize, writer: usize| family.verdicts[reader][writer] == ".";
        for level in Level::ALL {
            let lets = |old: usize| {
                (!level.backward() || reads(last, old)) && (!level.forward() || reads(old, last))
            };
            let versions = match level {
                Level::None => 0..0,
                Level::Backward | Level::Forward | Level::Full => last - 1..last,
                _ => 0..last,
            };
            let broken: Vec<usize> = versions.rev().filter(|old| !lets(*old)).collect();
            let ours = breaks(new, &newest_first, level, Policy::Avro);
            let ours: Vec<usize> = ours.map(|found| last - 1 - found.version).collect();
            assert_eq!(ours, broken, "{}", level.word());
        }
    }
}

#[test]
fn a_level_has_its_word_in_any_case() {
    for level in Level::ALL {
        assert_eq!(Level::of(level.word()), Some(level));
        assert_eq!(Level::of(&level.word().to_lowercase()), Some(level));
    }
    assert_eq!(Level::of("BACKWARDS"), None);
    assert_eq!((Level::OF_RESOURCES.word(), Level::OF_OTHERS.word()), ("FULL_TRANSITIVE", "BACKWARD"));
}

#[test]
fn a_registrys_answer_has_a_line_for_each_difference() {
    let record = |field: &str| {
        parse(&format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#), Rules::FREE).unwrap()
    };
    let old = record(r#"{"name":"a","type":"int"}"#);
    let new = record(r#"{"name":"b","type":{"type":"int","logicalType":"date"}}"#);
    let found = breaks(&new, &[&old], Level::Full, Policy::House).next().unwrap();
    let lines = found.messages(3, &old.canonical(), Level::Full);
    let word = "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'";
    assert!(
        lines[0]
            .starts_with(&format!("{word}the old schema reads what the new one wrote; at /fields/0 (a): "))
    );
    assert!(
        lines[1]
            .starts_with(&format!("{word}the new schema reads what the old one wrote; at /fields/0 (b): "))
    );
    assert!(lines[0].ends_with("additionalInfo:'a'}") && lines[1].ends_with("additionalInfo:'b'}"));
    assert_eq!(
        lines[2..],
        [
            "{oldSchemaVersion: 3}".to_owned(),
            format!("{{oldSchema: '{}'}}", old.canonical()),
            "{validateFields: 'false', compatibility: 'FULL'}".to_owned(),
        ]
    );
    assert_eq!(breaks(&new, &[], Level::FullTransitive, Policy::House).count(), 0);
}

#[test]
fn a_registrys_answer_says_what_is_inside_a_union_and_how_much_was_left_out() {
    let within = |x: &str, y: &str| {
        let text =
            format!(r#"["null",{{"type":"record","name":"A","fields":[{{"name":"x","type":"{x}"}}{y}]}}]"#);
        parse(&text, Rules::FREE).unwrap()
    };
    let old = within("int", r#",{"name":"y","type":"int"}"#);
    let new = within("string", "");
    let found = breaks(&new, &[&old], Level::Full, Policy::Avro).next().unwrap();
    let lines = found.messages(1, &old.canonical(), Level::Full);
    let named = |kind: &str, path: &str| {
        lines.iter().any(|line| line.contains(kind) && line.contains(&format!("({path})")))
    };
    assert!(lines[0].contains("MISSING_UNION_BRANCH"), "{lines:#?}");
    assert!(named("TYPE_MISMATCH", "<A>.x"), "{lines:#?}");
    assert!(named("READER_FIELD_MISSING_DEFAULT_VALUE", "<A>.y"), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("omitted")), "{lines:#?}");
    let lines = crate::compat::Break { omitted: 7, ..found }.messages(1, "", Level::Full);
    assert!(lines.contains(&"{omitted: 7 more differences}".to_owned()), "{lines:#?}");
}
