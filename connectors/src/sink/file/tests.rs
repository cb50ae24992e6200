//! Crashes at every step: no line lost or doubled; views that change; what the file looks like.

use std::fs;
use std::path::Path;

use changtong_catalog::error::Code;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::resource::{AvroType, Kind};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::bus::GrantedItem;
use crate::sink::{Line, Page};

fn subscribed(kind: Kind) -> Subscribed {
    let item = |name: &str, avro| GrantedItem { name: name.to_owned(), avro, nullable: true };
    Subscribed {
        id: SubscriptionId(Uuid::from_u128(1)),
        kind,
        deletes: true,
        items: vec![item("name", AvroType::String), item("n", AvroType::Int)],
        created: false,
    }
}

fn lines(from: usize, to: usize) -> Vec<Line> {
    let line = |at: usize| {
        let text = format!(
            r#"{{"id":"1.0.{at}","op":"upsert","k":"k{at}","published_at":"2026-01-01T00:00:00.000Z","record":{{"name":"n{at}","n":{at}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    (from..to).map(line).collect()
}

async fn open(folder: &Path, resets: i32) -> (FileSink, Option<String>) {
    let spec = FileSinkSpec { path: "out/d.csv".to_owned(), format: FileSinkFormat::Csv };
    let mut sink = FileSink::new(spec, Root::open(folder).unwrap()).unwrap();
    let held = sink.open(&subscribed(Kind::Table), resets).await.unwrap();
    (sink, held)
}

fn ids(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out/d.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_line_is_a_row_and_stays_data() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sink, held) = open(folder.path(), 0).await;
    assert_eq!(held, None);
    let page = r#"{"id":"1.0.0","op":"upsert","k":"a","published_at":"2026-01-01T00:00:00.000Z","record":{"name":"=1,\"x\"\n","n":-5}}
{"id":"1.0.1","op":"upsert","k":"b","published_at":"2026-01-01T00:00:00.000Z","record":{"name":"","n":null}}
{"id":"1.0.2","op":"delete","k":"a","published_at":"2026-01-01T00:00:00.001Z"}
{"next":"c1","window":"01890a5d-ac96-774b-bcce-b302099a8057","digest":"00"}
"#;
    let page = Page::parse(page.as_bytes()).unwrap();
    let batch = Batch { lines: &page.lines, next: &page.next, begins: true };
    assert_eq!(sink.apply(&batch).await.unwrap(), Written { upserts: 2, deletes: 1 });
    let text = fs::read_to_string(folder.path().join("out/d.csv")).unwrap();
    assert_eq!(
        text,
        "id,op,k,published_at,name,n\n\
         1.0.0,upsert,a,2026-01-01T00:00:00.000Z,\"=1,\"\"x\"\"\n\",-5\n\
         1.0.1,upsert,b,2026-01-01T00:00:00.000Z,\"\",\n\
         1.0.2,delete,a,2026-01-01T00:00:00.001Z,,\n"
    );
    assert_eq!(open(folder.path(), 0).await.1.as_deref(), Some("c1"));
    // A reset begins anew, and so does other content of the lines.
    assert_eq!(open(folder.path(), 1).await.1, None);
}

#[tokio::test]
async fn ndjson_holds_the_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let spec = FileSinkSpec { path: "d.ndjson".to_owned(), format: FileSinkFormat::Ndjson };
    let mut sink = FileSink::new(spec, Root::open(folder.path()).unwrap()).unwrap();
    sink.open(&subscribed(Kind::Table), 0).await.unwrap();
    sink.apply(&Batch { lines: &lines(0, 2), next: "c", begins: true }).await.unwrap();
    let text = fs::read_to_string(folder.path().join("d.ndjson")).unwrap();
    let read: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, lines(0, 2));
}

#[tokio::test]
async fn a_file_of_others_or_one_that_shrank_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/d.csv"), "mine").unwrap();
    let spec = FileSinkSpec { path: "out/d.csv".to_owned(), format: FileSinkFormat::Csv };
    let mut sink = FileSink::new(spec.clone(), Root::open(folder.path()).unwrap()).unwrap();
    let refused = sink.open(&subscribed(Kind::Table), 0).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    fs::remove_file(folder.path().join("out/d.csv")).unwrap();
    let (mut sink, _) = open(folder.path(), 0).await;
    sink.apply(&Batch { lines: &lines(0, 2), next: "c", begins: true }).await.unwrap();
    fs::write(folder.path().join("out/d.csv"), "id").unwrap();
    let mut sink = FileSink::new(spec, Root::open(folder.path()).unwrap()).unwrap();
    let refused = sink.open(&subscribed(Kind::Table), 0).await.unwrap_err();
    assert_eq!(refused.code, Code::FileChanged);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// A crash leaves either whole or torn bytes behind the mark, or an unfinished new mark.
    #[test]
    fn whatever_a_crash_leaves_no_line_is_lost_or_doubled(
        batches in prop::collection::vec((1_usize..5, any::<bool>(), 0_usize..80), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (mut sink, _) = open(folder.path(), 0).await;
            let mut at = 0;
            for (count, crash, torn) in batches {
                let batch = lines(at, at + count);
                let next = (at + count).to_string();
                if crash {
                    let mut file = fs::OpenOptions::new().append(true).open(folder.path().join("out/d.csv")).unwrap();
                    std::io::Write::write_all(&mut file, &b"1.0.9,upsert,k9,2026".repeat(9)[..torn]).unwrap();
                    fs::write(folder.path().join("out/d.csv.changtong.new"), "{\"len").unwrap();
                    let held;
                    (sink, held) = open(folder.path(), 0).await;
                    assert_eq!(held, (at > 0).then(|| at.to_string()));
                }
                sink.apply(&Batch { lines: &batch, next: &next, begins: at == 0 }).await.unwrap();
                at += count;
            }
            let wanted: Vec<String> = (0..at).map(|at| format!("1.0.{at}")).collect();
            assert_eq!(ids(folder.path()), wanted);
        });
    }
}
