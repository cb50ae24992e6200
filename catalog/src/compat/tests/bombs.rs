//! Schemas within every limit of size that would cost much to compare: what a comparison takes is counted.

use crate::avro::{MOST_BYTES, Rules, Schema, parse};
use crate::compat::{Kind, Level, Meaning, Policy, Work, breaks, breaks_with, read_within};

const ALL: (Level, Policy) = (Level::Full, Policy::House);

fn schema(text: &str) -> Schema {
    assert!(text.len() <= MOST_BYTES);
    parse(text, Rules::FREE).unwrap()
}

fn record(name: &str, fields: &[String]) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{}]}}"#, fields.join(","))
}

/// Branches that differ in name and have that many aliases each.
fn union(prefix: &str, branches: usize, aliases: usize) -> String {
    let aliases: Vec<_> = (0..aliases).map(|n| format!("\"a{n}\"")).collect();
    let one = |n: usize| {
        format!(r#"{{"type":"fixed","name":"{prefix}{n}","size":1,"aliases":[{}]}}"#, aliases.join(","))
    };
    format!("[{}]", (0..branches).map(one).collect::<Vec<_>>().join(","))
}

#[test]
fn the_houses_walk_is_bounded_by_branches_and_aliases() {
    let wide = |prefix: &str| schema(&union(prefix, 250, 100));
    let found = breaks_with(&wide("N"), &wide("O"), ALL, &mut Work::default()).unwrap();
    assert_eq!(found.house.last().unwrap().meaning, Meaning::TooComplex);
}

#[test]
fn the_houses_walk_is_bounded_by_fields_and_values() {
    // On a type `values` is a word of Avro's own; lists of values stand on fields.
    let listing = |name: &str, values: &[String]| {
        format!(r#"{{"name":"{name}","type":"string","values":[{}]}}"#, values.join(","))
    };
    let values = |from: usize| {
        let values: Vec<_> = (from..from + 9000).map(|n| format!("\"v{n}\"")).collect();
        let inner = format!(r#"{{"name":"f0","type":{}}}"#, record("V", &[listing("v", &values)]));
        schema(&record("R", &[inner, listing("f1", &values)]))
    };
    let found = breaks_with(&values(9000), &values(0), ALL, &mut Work::default()).unwrap();
    assert_eq!(found.house.len(), 2);
    for change in &found.house {
        assert!(change.text.en.len() < 500 && change.text.en.contains("and 8980 more"), "{}", change.text.en);
    }
    let mut work = Work::of(20_000);
    let found = breaks_with(&values(0), &values(0), ALL, &mut work).unwrap();
    assert_eq!(found.house[0].meaning, Meaning::TooComplex);
    let others = |count: usize| schema(&record("R", &[listing("f", &vec!["1.5".to_owned(); count])]));
    let found = breaks_with(&others(5000), &others(5000), ALL, &mut Work::default()).unwrap();
    assert_eq!(found.house[0].meaning, Meaning::TooComplex, "each is looked for in all of the list");
    assert!(breaks_with(&others(50), &others(50), ALL, &mut Work::default()).is_none());
}

#[test]
fn many_aliases_of_many_fields_cost_no_more_than_they_are() {
    let wide = |side: &str| {
        let field = |n: usize| {
            let aliases: Vec<_> = (0..8).map(|alias| format!("\"{side}{n}_{alias}\"")).collect();
            format!(r#"{{"name":"f{n}","type":"int","aliases":[{}]}}"#, aliases.join(","))
        };
        schema(&record("R", &(0..1900).map(field).collect::<Vec<_>>()))
    };
    let mut work = Work::default();
    let before = work.left();
    assert_eq!(breaks_with(&wide("n"), &wide("o"), ALL, &mut work), None);
    let used = before - work.left();
    assert!((1900 * 9..200_000).contains(&used), "{used}");
}

#[test]
fn what_means_something_else_is_told_within_bounds() {
    // Each path is 14 KB long.
    let long = "x".repeat(500);
    let with = |unit: &str| {
        let field = |n: usize| format!(r#"{{"name":"{long}{n}","type":"int","unit":"{unit}"}}"#);
        let inner = record("R", &(0..350).map(field).collect::<Vec<_>>());
        let within = |inner: String, n: usize| {
            record(&format!("R{n}"), &[format!(r#"{{"name":"{long}","type":{inner}}}"#)])
        };
        schema(&(0..28).fold(inner, within))
    };
    let found = breaks_with(&with("m"), &with("km"), ALL, &mut Work::default()).unwrap();
    let bytes: usize = found.house.iter().map(|change| change.path.len() + change.text.en.len()).sum();
    assert_eq!(found.house.len() + found.omitted, 350);
    assert!(found.omitted > 0 && bytes <= 5 << 20, "{bytes}, {} left out", found.omitted);
}

#[test]
fn one_question_has_one_measure_of_work() {
    let wide = |prefix: &str| {
        let field = |n: usize| {
            format!(
                r#"{{"name":"f","type":"int","aliases":[{}]}}"#,
                (0..30).map(|alias| format!("\"a{n}_{alias}\"")).collect::<Vec<_>>().join(",")
            )
        };
        let one = |n: usize| record(&format!("{prefix}{n}"), &[field(n)]);
        schema(&format!("[{}]", (0..100).map(one).collect::<Vec<_>>().join(",")))
    };
    let (new, old) = (wide("N"), wide("O"));
    let mut work = Work::default();
    let before = work.left();
    let _ = read_within(&new, &old, &mut work);
    let used = before - work.left();
    assert!(used > 100_000, "{used}");
    // As many as there is work for are compared, and what is left counts as too complex.
    let enough = before / used;
    let earlier: Vec<&Schema> = std::iter::repeat_n(&old, enough + 3).collect();
    let found: Vec<_> = breaks(&new, &earlier, Level::BackwardTransitive, Policy::Avro).collect();
    assert_eq!(found.len(), enough + 3);
    let complex = |place: usize| found[place].backward[0].kind == Kind::TooComplex;
    assert!((0..enough).all(|place| !complex(place)));
    assert!((enough + 1..enough + 3).all(complex));
}

#[test]
fn texts_count_too() {
    let mut work = Work::of(1_000_000);
    let texts = (0..100).take_while(|_| work.take_text(MOST_BYTES)).count();
    assert_eq!(texts, 30);
}
