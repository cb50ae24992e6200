//! Random files, appends, cuts and crashes: the bus never sees a record twice or misses one, and `replace` brings the
//! resource to the file, whatever got lost on the way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use changtong_catalog::error::Code;
use changtong_catalog::ports::SourceStep;
use encoding_rs::GB18030;
use proptest::prelude::*;

use super::*;
use crate::avro::container::{head, put_block};
use crate::bus::SourceBatch;
use crate::bus::memory::{Fault, MemoryBus};
use crate::runner::tests::table;

fn spec(more: &str) -> FileSourceSpec {
    toml::from_str(&format!(
        "path = \"d*.csv\"\nformat = \"csv\"\nnull = [\"\", \"NA\"]\nbatch_records = 4\n{more}"
    ))
    .unwrap()
}

/// One pass as a fresh process would make it; ends early after so many publishes.
async fn pass(
    folder: &Path,
    bus: &MemoryBus,
    spec: &FileSourceSpec,
    dies_after: usize,
) -> Result<(), Refusal> {
    let root = Root::open(folder).unwrap();
    let mut source = FileSource::new(spec.clone(), OnInvalid::Reject, root)?;
    let mut published = 0;
    for part in source.discover().await? {
        let name = format!("in/{}", part.name);
        let mut position = bus.position(&name).await?;
        let mut reading = source.read(&part, &position, bus, None).await?;
        while let Some(step) = reading.next().await? {
            if published == dies_after {
                return Ok(());
            }
            published += 1;
            let to = step.to.clone();
            let step = SourceBatch {
                body: step.body,
                format: step.format,
                on_invalid: OnInvalid::Reject,
                step: SourceStep { connector: name.clone(), from: position.clone(), to: step.to },
            };
            bus.publish(step).await?;
            position = to;
        }
        source.finished(&part);
    }
    Ok(())
}

/// Passes until one goes through, each from nothing.
async fn settle(folder: &Path, bus: &MemoryBus, spec: &FileSourceSpec) {
    for _ in 0..50 {
        if pass(folder, bus, spec, usize::MAX).await.is_ok() {
            return;
        }
    }
    panic!("no pass went through");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let fault =
        prop_oneof![Just(None), Just(None), Just(Some(Fault::Refused)), Just(Some(Fault::AnswerLost))];
    prop::collection::vec(fault, 0..12)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,6}", "[,\"\n一-三=+]{1,5}", Just("NA".to_owned())]
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A container file with a block for each list of names, and where each block ends.
fn container(blocks: &[Vec<String>]) -> Vec<u8> {
    let schema = br#"{"type":"record","name":"P","fields":[{"name":"id","type":"int"},{"name":"name","type":"string"}]}"#;
    let mut file = head(schema, [7; 16]);
    let mut id = 0_u8;
    for names in blocks {
        let mut data = Vec::new();
        for name in names {
            // Small numbers and short texts: one byte each says them.
            data.extend([id * 2, name.len() as u8 * 2]);
            data.extend_from_slice(name.as_bytes());
            id += 1;
        }
        put_block(names.len() as u64, &data, [7; 16], &mut file);
    }
    file
}

fn avro() -> FileSourceSpec {
    toml::from_str("path = \"d.avro\"\nformat = \"avro\"\nbatch_records = 4").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn appended_blocks_are_published_once_and_in_order(
        blocks in prop::collection::vec(prop::collection::vec("[a-z]{0,6}", 0..6), 0..8),
        cuts in prop::collection::vec((0.0..1.0_f64, 0_usize..6), 0..6),
        faults in faults(),
    ) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let bus = table();
            bus.inner.lock().faults.extend(faults);
            let bytes = container(&blocks);
            let mut cuts = cuts;
            cuts.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (cut, dies_after) in cuts {
                let length = (bytes.len() as f64 * cut) as usize;
                std::fs::write(folder.path().join("d.avro"), &bytes[..length]).unwrap();
                let _ = pass(folder.path(), &bus, &avro(), dies_after).await;
            }
            std::fs::write(folder.path().join("d.avro"), &bytes).unwrap();
            settle(folder.path(), &bus, &avro()).await;
            let wanted: Vec<String> = blocks.iter().flatten().enumerate()
                .map(|(id, name)| serde_json::json!({"id": id, "name": name}).to_string()).collect();
            assert_eq!(bus.records(), wanted);
        });
    }
}

#[tokio::test]
async fn a_container_file_that_is_none_or_was_changed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let put = |bytes: &[u8]| std::fs::write(folder.path().join("d.avro"), bytes).unwrap();
    let bus = table();
    let refused = async || pass(folder.path(), &bus, &avro(), 9).await.unwrap_err();
    put(b"id,name\n1,a\n");
    let refusal = refused().await;
    assert!(refusal.code == Code::FileUnreadable && refusal.text.en.contains("d.avro"), "{refusal}");
    let file = container(&[vec!["a".to_owned()], vec!["b".to_owned()]]);
    let mut marker = file.clone();
    *marker.last_mut().unwrap() ^= 1;
    put(&marker);
    assert!(refused().await.text.en.contains("marker"), "nothing of a batch that is damaged is published");
    assert!(bus.records().is_empty());
    put(&file);
    settle(folder.path(), &bus, &avro()).await;
    let mut changed = container(&[vec!["x".to_owned()], vec!["b".to_owned()], vec!["c".to_owned()]]);
    put(&changed);
    assert_eq!(refused().await.code, Code::FileChanged);
    changed.truncate(file.len() - 1);
    put(&changed);
    assert_eq!(refused().await.code, Code::FileChanged, "shorter than what was read");
    // A size that no block has is not waited for.
    put(&[container(&[]), vec![2, 0xfe, 0xff, 0xff, 0xff, 0x0f]].concat());
    let other = table();
    let refusal = pass(folder.path(), &other, &avro(), 9).await.unwrap_err();
    assert_eq!(refusal.code, Code::RecordTooLarge);
}

#[tokio::test]
async fn a_head_that_is_still_being_written_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.avro");
    let (bus, file, begun) = (table(), container(&[vec!["a".to_owned()]]), container(&[]).len());
    for length in 0..=begun {
        std::fs::write(&path, &file[..length]).unwrap();
        pass(folder.path(), &bus, &avro(), 9).await.unwrap_or_else(|refusal| panic!("{length}: {refusal}"));
    }
    assert!(bus.records().is_empty());
    std::fs::write(&path, &file).unwrap();
    pass(folder.path(), &bus, &avro(), 9).await.unwrap();
    assert_eq!(bus.records().len(), 1);
    // A file of which blocks were read had its head.
    std::fs::write(&path, [&file[..begun - 1], &[0; 99]].concat()).unwrap();
    assert_eq!(pass(folder.path(), &bus, &avro(), 9).await.unwrap_err().code, Code::FileChanged);
    // What goes on for ever is no head.
    let endless: [&[u8]; 3] = [b"Obj\x01\x02\x14avro.other", &[0xfe, 0xff, 0xff, 0x7f], &[7; 2 << 20]];
    std::fs::write(&path, endless.concat()).unwrap();
    let refusal = pass(folder.path(), &table(), &avro(), 9).await.unwrap_err();
    assert!(refusal.code == Code::FileUnreadable && refusal.text.en.contains("head"), "{refusal}");
}

#[tokio::test]
async fn a_block_of_more_records_than_a_publish_takes_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let head = container(&[vec!["a".to_owned()]]);
    let block = |records: usize| {
        let mut file = head.clone();
        put_block(records as u64, &[2, 0].repeat(records), [7; 16], &mut file);
        file
    };
    std::fs::write(folder.path().join("d.avro"), block(10_001)).unwrap();
    let refusal = pass(folder.path(), &table(), &avro(), 9).await.unwrap_err();
    assert_eq!(refusal.code, Code::RecordTooLarge);
    assert!(refusal.text.en.contains(&format!("the block at byte {} of", head.len())), "{refusal}");
    std::fs::write(folder.path().join("d.avro"), block(10_000)).unwrap();
    let bus = table();
    settle(folder.path(), &bus, &avro()).await;
    assert_eq!(bus.records().len(), 10_001);
}

#[test]
fn what_does_not_fit_container_files_is_refused() {
    for more in ["mode = \"replace\"", "null = [\"NA\"]", "encoding = \"gb18030\"", "ignore = [\"a\"]"] {
        let spec: FileSourceSpec =
            toml::from_str(&format!("path = \"d.avro\"\nformat = \"avro\"\n{more}")).unwrap();
        assert_eq!(spec.check().unwrap_err().code, Code::Invalid, "{more}");
    }
    avro().check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn appended_lines_are_published_once_and_in_order(
        rows in prop::collection::vec(text(), 0..40),
        cuts in prop::collection::vec((0.0..1.0_f64, 0_usize..6), 0..6),
        faults in faults(),
        gb18030 in any::<bool>(),
    ) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let bus = table();
            bus.inner.lock().faults.extend(faults);
            let spec = spec(if gb18030 { "encoding = \"gb18030\"" } else { "" });
            let mut whole = "编号,名称\n".to_owned();
            for (at, name) in rows.iter().enumerate() {
                let _ = writeln!(whole, "{at},{}", quoted(name));
            }
            let bytes = if gb18030 { GB18030.encode(&whole).0.into_owned() } else { whole.into_bytes() };
            let mut cuts = cuts;
            cuts.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (cut, dies_after) in cuts {
                // Anywhere: within a line, a quote, a character.
                let length = (bytes.len() as f64 * cut) as usize;
                std::fs::write(folder.path().join("d.csv"), &bytes[..length]).unwrap();
                // Whatever it ends with, the next pass starts from what the bus has.
                let _ = pass(folder.path(), &bus, &spec, dies_after).await;
            }
            std::fs::write(folder.path().join("d.csv"), &bytes).unwrap();
            settle(folder.path(), &bus, &spec).await;
            let wanted: Vec<String> = rows.iter().enumerate().map(|(id, name)| {
                let null = name.is_empty() || name == "NA";
                serde_json::json!({"id": id, "name": (!null).then_some(name)}).to_string()
            }).collect();
            assert_eq!(bus.records(), wanted);
        });
    }

    #[test]
    fn replaced_files_bring_the_resource_to_their_state(
        files in prop::collection::vec(prop::collection::vec((0_u8..12, "[a-c]{0,1}"), 0..20), 1..5),
        faults in faults(),
        dies in prop::collection::vec(0_usize..4, 5),
    ) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let bus = table();
            bus.inner.lock().faults.extend(faults);
            let spec = spec("mode = \"replace\"\nmax_deletes = \"100%\"");
            for (rows, dies_after) in files.iter().zip(dies) {
                let mut text = "id,name\n".to_owned();
                let mut model = BTreeMap::new();
                for (id, name) in rows {
                    let _ = writeln!(text, "{id},{name}");
                    model.insert(*id, name.clone());
                }
                std::fs::write(folder.path().join("d.csv"), text).unwrap();
                let _ = pass(folder.path(), &bus, &spec, dies_after).await;
                settle(folder.path(), &bus, &spec).await;
                let mut held: Vec<String> = bus.table().into_values().collect();
                let mut wanted: Vec<String> = model.iter().map(|(id, name)| {
                    serde_json::json!({"id": id, "name": (!name.is_empty()).then_some(name)}).to_string()
                }).collect();
                held.sort();
                wanted.sort();
                assert_eq!(held, wanted);
                // Nothing is published that changes nothing.
                let before = bus.records().len();
                settle(folder.path(), &bus, &spec).await;
                assert_eq!(bus.records().len(), before);
            }
            assert_no_idle_records(&bus);
        });
    }
}

/// No record says what the one before it of the same key said already.
fn assert_no_idle_records(bus: &MemoryBus) {
    let mut last = BTreeMap::new();
    for record in &bus.inner.lock().log {
        let key = record.key.clone().unwrap();
        let before = last.insert(key, record.value.clone());
        assert_ne!(before.unwrap_or(None), record.value);
    }
}

#[tokio::test]
async fn columns_are_mapped_left_out_or_named_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let put = |text: &str| std::fs::write(folder.path().join("d.csv"), text).unwrap();
    put("\u{feff}no;remark;名称\n1;x;a\n2;y\n3;z;c;d\n");
    let bus = table();
    let unknown = pass(folder.path(), &bus, &spec("delimiter = \";\""), 9).await.unwrap_err();
    assert_eq!((unknown.code, unknown.text.en.contains("column 1")), (Code::Invalid, true));
    let mapped = spec("delimiter = \";\"\nignore = [\"remark\"]\n[columns]\nno = \"id\"\n");
    let uneven = pass(folder.path(), &bus, &mapped, 9).await.unwrap_err();
    assert_eq!(uneven.code, Code::RecordsInvalid, "rows of another width never pass");
    assert_eq!(uneven.extra["invalid"][0]["index"], 1);
    put("no;remark;名称\n1;x;a\n2;y;b\n");
    pass(folder.path(), &bus, &mapped, 9).await.unwrap();
    assert_eq!(bus.records(), [r#"{"id":1,"name":"a"}"#, r#"{"id":2,"name":"b"}"#]);
}

#[tokio::test]
async fn bytes_of_another_encoding_are_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), GB18030.encode("编号,name\n1,名\n").0).unwrap();
    let refusal = pass(folder.path(), &table(), &spec(""), 9).await.unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["line"]), (Code::FileUnreadable, &1.into()));
    std::fs::write(folder.path().join("d.csv"), b"id,name\n1,a\n2,\xff\n").unwrap();
    let refusal = pass(folder.path(), &table(), &spec(""), 9).await.unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["line"]), (Code::FileUnreadable, &3.into()));
}

#[tokio::test]
async fn ndjson_lines_come_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"id\":1,\"name\":\"=1+1\"}\r\n\n{\"id\":2,\"name\":null}\n{\"id\":3";
    std::fs::write(folder.path().join("d.ndjson"), lines).unwrap();
    let spec: FileSourceSpec = toml::from_str("path = \".\"\nformat = \"ndjson\"").unwrap();
    let bus = table();
    assert_eq!(pass(folder.path(), &bus, &spec, 9).await.unwrap_err().code, Code::PathOutsideRoot);
    let spec = FileSourceSpec { path: "d.ndjson".to_owned(), ..spec };
    pass(folder.path(), &bus, &spec, 9).await.unwrap();
    assert_eq!(bus.records(), [r#"{"id":1,"name":"=1+1"}"#, r#"{"id":2,"name":null}"#]);
}
