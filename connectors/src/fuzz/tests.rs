//! Any bytes, and valid ones damaged, through every decoder: an answer each time, within the memory that trust.md's cases
//! 3 and 4 allow, and in seconds of a processor.

mod bombs;

use std::time::Duration;

use allocation_counter::measure;
use changtong_catalog::ids::ResourceNumber;
use cpu_time::ThreadTime;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What a body may cost beside itself: what is decoded, and the values that are kept of it.
const ROOM: u64 = 4 * RECORD_BYTES as u64 + 2 * DECOMPRESSED as u64;

/// What anything here may take of a processor, built for tests: many times what it does, and far from what grows with the
/// square of what came.
const TIME: Duration = Duration::from_secs(5);

/// A schema, settings and rules at once.
const REGISTRY_BODY: &str = r#"{"schema":"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}","schemaType":"AVRO",
"references":[],"metadata":{"properties":{"owner":"p"},"tags":{"**.id":["PII"]},"sensitive":["owner"]},
"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION","mode":"WRITE","type":"CEL","expr":"size(message.id) > 0"}]},
"id":-1,"version":0,"compatibility":"FULL","normalize":true,"compatibilityPolicy":"LOGICAL","defaultMetadata":null,
"domainRules":[{"name":"r","kind":"TRANSFORM","mode":"WRITEREAD","type":"CEL_FIELD","onFailure":"DLQ"}]}"#;

fn entry(name: &str) -> fn(&[u8]) -> bool {
    ENTRIES.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Valid bytes of each.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let line = r#"{"id":"甲\n","n":-12,"big":9223372036854775807,"money":"1234.5","day":"2013-01-31","at":"2013-01-01T18:00:00.120+08:00","flag":true,"raw":"AP8=","ratio":0.1,"small":0.1,"note":"a\"b","place":"JFK"}"#;
    let sample = sample().unwrap();
    let limits =
        BodyLimits { records: 10, record_bytes: RECORD_BYTES, decompressed: DECOMPRESSED, ratio: 100 };
    let batch = BatchId(Uuid::nil());
    let read =
        read_body(&sample.plan, Format::Ndjson, line.as_bytes(), &limits, batch, &mut |_| Ok(())).unwrap();
    let (key, value) = (read.records[0].key.clone().unwrap(), read.records[0].value.clone().unwrap());
    let text = changtong_catalog::schema::value_schema(ResourceNumber(1), &sample.file.items).unwrap();
    let mut file = container::head(text.as_bytes(), [7; 16]);
    container::put_block(1, &value[5..], [7; 16], &mut file);
    let cursor = Cursor {
        subscription: changtong_catalog::ids::SubscriptionId(Uuid::nil()),
        view: 1,
        generation: Generation(1),
        seek_count: 0,
        next: vec![0, 5, 1 << 40],
    };
    vec![
        ("json_lines", format!("{line}\n{{\"$op\":\"delete\",\"id\":\"a\",\"n\":1}}\n").into_bytes()),
        ("json_array", format!("[{line},\n {{\"id\":\"a\",\"n\":1}}]").into_bytes()),
        ("csv", "id,n,note,$op\na,1,\"x \"\"y\"\"\",\nb,2,,delete\n".as_bytes().to_vec()),
        ("container", file),
        ("stored_record", [&[key.len() as u8][..], &key, &value].concat()),
        ("schema", text.clone().into_bytes()),
        ("cursor", cursor.encode(&MacKey::new(&[1; 32])).into_bytes()),
        ("filter", r#"id in ["a", 'b'] && !(money > 12.5 || day == "2013-01-31") && note != null"#.as_bytes().to_vec()),
        ("registry_body", REGISTRY_BODY.as_bytes().to_vec()),
        ("comparison", format!("{text}\n{}", text.replace("\"int\"", "\"long\"")).into_bytes()),
        ("adopt", text.into_bytes()),
    ]
}

fn damaged(mut bytes: Vec<u8>, changes: &[(Index, u8, Index)]) -> Vec<u8> {
    for (at, what, with) in changes {
        let at = at.index(bytes.len().max(1)).min(bytes.len());
        match what % 4 {
            0 if at < bytes.len() => bytes[at] ^= 1 << with.index(8),
            1 => bytes.insert(at, with.index(256) as u8),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}

/// Whether they were taken.
fn answers(name: &str, bytes: &[u8]) -> bool {
    answers_within(name, bytes, ROOM + 64 * bytes.len() as u64)
}

fn answers_within(name: &str, bytes: &[u8], room: u64) -> bool {
    let (mut taken, began) = (false, ThreadTime::now());
    let most = measure(|| taken = entry(name)(bytes)).bytes_max;
    let time = began.elapsed();
    assert!(most <= room, "{name}: {most} bytes of memory for {}", bytes.len());
    assert!(time <= TIME, "{name}: {time:?} of processor time for {} bytes", bytes.len());
    taken
}

#[test]
fn every_decoder_has_valid_bytes() {
    let seeds = seeds();
    let names: Vec<_> = ENTRIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(seeds.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, bytes) in seeds {
        assert!(answers(name, &bytes), "{name}");
    }
}

/// The crate of the fuzzer is built with another toolchain, so its targets are held to the one line that they are.
#[test]
fn every_decoder_is_a_target_of_the_fuzzer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in ENTRIES {
        let target = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        let line = format!(
            "libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {{ let _ = changtong_connectors::fuzz::{name}(bytes); }});"
        );
        assert!(target.ends_with(&format!("#![no_main]\n\n{line}\n")), "{name}");
        let bin = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&bin), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.join("fuzz_targets")).unwrap().count(), ENTRIES.len());
    assert_eq!(manifest.matches("[[bin]]").count(), ENTRIES.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0..ENTRIES.len()) {
        answers(ENTRIES[which].0, &bytes);
    }

    #[test]
    fn damaged_bytes_are_an_answer(
        which in 0..ENTRIES.len(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), any::<Index>()), 1..6),
    ) {
        let (name, bytes) = seeds().swap_remove(which);
        answers(name, &damaged(bytes, &changes));
    }
}
