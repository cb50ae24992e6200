//! What Apache Avro 1.12 for Java says of pairs (`java.txt`, made by tests/scripts/schemas.sh): the same of ours, finding by
//! finding, in both directions.
//!
//! A family is 12 schemas, a row of verdicts for each as reader with each as writer, and two sums: of what is written of
//! the schemas, of all messages.

use crate::avro::{Rules, Schema, parse};
use crate::compat::{Kind, read};

const PAIRS: &str = include_str!("java.txt");
const FAMILY: usize = 12;

pub(super) struct Family {
    pub schemas: Vec<Schema>,
    /// By reader, then writer.
    pub verdicts: Vec<Vec<&'static str>>,
    written: &'static str,
    messages: &'static str,
}

pub(super) fn families() -> Vec<Family> {
    let lines: Vec<&str> = PAIRS.lines().collect();
    let family = |lines: &[&'static str]| {
        let schemas = lines[..FAMILY].iter().map(|text| parse(text, Rules::FREE).unwrap()).collect();
        let verdicts = lines[FAMILY..2 * FAMILY].iter().map(|row| row.split('\t').collect()).collect();
        let (written, messages) = lines[2 * FAMILY].split_once(' ').unwrap();
        Family { schemas, verdicts, written, messages }
    };
    lines.chunks(2 * FAMILY + 1).map(family).collect()
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::NameMismatch => 'N',
        Kind::FixedSizeMismatch => 'F',
        Kind::MissingEnumSymbols => 'E',
        Kind::ReaderFieldMissingDefaultValue => 'D',
        Kind::TypeMismatch => 'T',
        Kind::MissingUnionBranch => 'U',
        Kind::AmbiguousField | Kind::TooComplex => '?',
    }
}

fn sum(lines: &[String]) -> String {
    let mut sum = crc32fast::Hasher::new();
    for line in lines {
        sum.update(line.as_bytes());
        sum.update(b"\n");
    }
    format!("{:08x}", sum.finalize())
}

#[test]
fn java_and_we_find_the_same_in_every_pair() {
    let mut pairs = 0;
    let mut wrong = Vec::new();
    for family in families() {
        let mut messages = Vec::new();
        for (reader, row) in family.schemas.iter().zip(&family.verdicts) {
            for (writer, verdict) in family.schemas.iter().zip(row) {
                pairs += 1;
                let reading = read(reader, writer);
                let told =
                    |found: &crate::compat::Difference| format!("{}{}", letter(found.kind), found.location);
                let ours = match (reading.gave_up, reading.compatible()) {
                    (true, _) => "!".to_owned(),
                    (_, true) => ".".to_owned(),
                    _ => reading.differences.iter().map(told).collect::<Vec<_>>().join(" "),
                };
                if ours != *verdict {
                    let (reader, writer) = (reader.canonical(), writer.canonical());
                    wrong
                        .push(format!("reader {reader}\nwriter {writer}\n   java {verdict}\n   ours {ours}"));
                }
                if !reading.gave_up {
                    messages.extend(
                        reading.differences.iter().map(|found| {
                            format!("{} {} {}", found.kind.word(), found.location, found.message)
                        }),
                    );
                }
            }
        }
        let written = family.schemas.iter().flat_map(|schema| [schema.canonical(), schema.parsing_form()]);
        assert_eq!(sum(&written.collect::<Vec<_>>()), family.written);
        if wrong.is_empty() {
            assert_eq!(sum(&messages), family.messages, "{messages:#?}");
        }
    }
    assert!(wrong.is_empty(), "{} of {pairs}:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    // Both directions of each pair of two, and each with itself.
    assert!(pairs >= 2 * 5000, "{pairs}");
}
