//! What Apache Avro 1.12 for Java takes, writes and fingerprints (`java.jsonl`, made by tests/scripts/schemas.sh): the
//! same of ours, without exception.

use serde_json::Value;

use crate::avro::{Rules, parse};

const TEXTS: &str = include_str!("java.jsonl");

#[test]
fn java_takes_refuses_and_writes_the_same_texts() {
    let mut wrong = Vec::new();
    let mut counts = (0, 0);
    for line in TEXTS.lines() {
        let line: Vec<Value> = serde_json::from_str(line).unwrap();
        let text = line[0].as_str().unwrap();
        match (parse(text, Rules::FREE), line[1].as_str()) {
            (Ok(schema), Some(written)) => {
                counts.0 += 1;
                let written = if written == "=" { text } else { written };
                let print = format!("{:016x}", schema.rabin());
                if schema.canonical() != written || line[2] != print.as_str() {
                    wrong.push(format!("{text}\n   java {written}\n   ours {}", schema.canonical()));
                }
                // Java may refuse to read again what it wrote: a definition then stands elsewhere. A registry must not.
                let again = parse(&schema.canonical(), Rules::STORED).map(|again| again.canonical());
                if again.as_deref() != Ok(written) {
                    wrong.push(format!("{text}\n   again {again:?}"));
                }
            }
            (Err(_), None) => counts.1 += 1,
            (Ok(_), None) => wrong.push(format!("{text}\n   java refuses it")),
            (Err(faults), Some(_)) => wrong.push(format!("{text}\n   ours {faults:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {counts:?}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts.0 >= 300 && counts.1 >= 300, "{counts:?}");
}
