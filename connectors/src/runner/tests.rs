//! The runner on a bus in memory: nothing twice, nothing missed, orders obeyed, failures told.

mod away;
mod replaced;
mod sinks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::{ManualClock, SeededIds};
use changtong_catalog::connector::Desired;
use changtong_catalog::error::Code;
use prometheus::Registry;

use super::*;
use crate::avro::tests::{file, standing};
use crate::bus::memory::{Fault, MemoryBus};

/// Nothing to be had from outside.
pub(crate) struct Alone;

impl Surroundings for Alone {
    fn secret(&self, _: &str) -> Result<String, Refusal> {
        Err(Refusal::new(Code::Invalid, "", "no secrets here"))
    }

    fn may_reach(&self, _: &str, _: u16) -> Result<(), Refusal> {
        Err(Refusal::new(Code::Invalid, "", "nowhere to go"))
    }
}

pub(crate) const ITEMS: &str = r#"
    items = [
        { name = "id", title = "编号", type = "I", length = 9 },
        { name = "name", title = "名称", type = "C", length = 20, nullable = true },
    ]
"#;

pub(crate) fn table() -> MemoryBus {
    MemoryBus::new(standing(file("table", &["id"], ITEMS)))
}

pub(crate) const RUN: Orders = Orders { desired: Desired::Running, resets: 0, confirmations: 0, version: 1 };

pub(crate) fn start(folder: &Path, bus: &Arc<MemoryBus>, spec: &str, orders: Orders) -> Runner {
    let value: serde_json::Value = toml::from_str(spec).unwrap();
    let parts = Parts {
        spec: ConnectorSpec::from_value(&value).unwrap(),
        bus: bus.clone(),
        root: Root::open(folder).unwrap(),
        surroundings: Arc::new(Alone),
        clock: Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())),
        ids: Arc::new(SeededIds::new(1)),
        metrics: Arc::new(Metrics::register(&Registry::new()).unwrap()),
    };
    Runner::start(parts, orders)
}

pub(crate) async fn until(runner: &Runner, what: impl FnMut(&Status) -> bool) -> Status {
    let mut status = runner.status();
    let seen = tokio::time::timeout(Duration::from_secs(60), status.wait_for(what)).await;
    seen.expect("it comes to that").unwrap().clone()
}

fn source(mode: &str, more: &str) -> String {
    format!(
        "name = \"in\"\nresource = \"307022-000001\"\n[source.file]\npath = \"d*.csv\"\nformat = \"csv\"\n\
         null = [\"\", \"NA\"]\nmode = \"{mode}\"\nbatch_records = 3\n{more}"
    )
}

fn names(bus: &MemoryBus) -> Vec<String> {
    bus.table().into_values().map(|row| row.replace('"', "")).collect()
}

#[tokio::test]
async fn appended_lines_come_once_though_answers_get_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    std::fs::write(&path, "编号,name\n1,a\n2,NA\n3,\"c, d\"\n4,e\n5,half").unwrap();
    let bus = Arc::new(table());
    bus.inner.lock().faults.extend([Some(Fault::AnswerLost), Some(Fault::Refused), None]);
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    let status = until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!(bus.records().len(), 4, "{:?}", bus.records());
    assert!(bus.records()[1].contains("null"), "{:?}", bus.records());
    assert_eq!(status.bytes_left, Some(6), "the last line has no end yet");

    std::fs::write(folder.path().join("d-2.csv"), "name,id\nz,9\n").unwrap();
    let whole = std::fs::read_to_string(&path).unwrap() + "\n6,f\n";
    std::fs::write(&path, whole).unwrap();
    until(&runner, |status| status.counts.accepted >= 4).await;
    while bus.records().len() < 7 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    runner.stop().await;
    assert_eq!(bus.records().len(), 7, "{:?}", bus.records());
    let positions = bus.inner.lock().positions.clone();
    assert_eq!(positions.len(), 2, "each file has its own");

    // Another start finds nothing new; a file that was changed or cut is named.
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    until(&runner, |status| status.caught_up_at.is_some()).await;
    runner.stop().await;
    assert_eq!(bus.records().len(), 7);
    std::fs::write(&path, "编号,name\n1,b\n2,NA\n3,\"c, d\"\n4,e\n5,half\n6,f\n7,g\n").unwrap();
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    let status = until(&runner, |status| status.state == RunState::Failed).await;
    let failure = status.failure.unwrap().refusal;
    assert_eq!(failure.code, Code::FileChanged);
    assert!(failure.text.en.contains("d.csv") && failure.text.zh.contains("d.csv"));
    runner.stop().await;
    assert_eq!(bus.records().len(), 7);
    // A reset source is another source and begins anew.
    let runner = start(folder.path(), &bus, &source("append", ""), Orders { resets: 1, ..RUN });
    until(&runner, |status| status.counts.accepted == 8).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_file_with_too_much_in_one_piece_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (first, line) = (folder.path().join("d-1.csv"), "x".repeat(5 << 20));
    std::fs::write(&first, format!("id,name\n1,a\n2,{line}\n")).unwrap();
    std::fs::write(folder.path().join("d-2.csv"), "id,name\n3,c\n").unwrap();
    let bus = Arc::new(table());
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    let beside = |status: &Status| status.counts.accepted == 1 && status.state == RunState::Failed;
    let status = until(&runner, beside).await;
    let failure = status.failure.unwrap().refusal;
    assert!(failure.code == Code::RecordTooLarge && failure.text.en.contains("line 3"), "{failure}");
    std::fs::write(folder.path().join("d-3.csv"), "id,name\n4,d\n").unwrap();
    until(&runner, |status| status.counts.accepted == 2 && status.state == RunState::Failed).await;
    // Mended, it is read at the next look.
    std::fs::write(&first, "id,name\n1,a\n2,b\n").unwrap();
    until(&runner, |status| status.counts.accepted == 4 && status.state == RunState::Running).await;
    runner.stop().await;
    assert_eq!(names(&bus), ["{id:1,name:a}", "{id:2,name:b}", "{id:3,name:c}", "{id:4,name:d}"]);
}

#[tokio::test]
async fn a_bad_record_is_named_by_file_and_line_or_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), "id,name\n1,a\n2,\"b\nc\"\nx,d\n4,e\n").unwrap();
    let bus = Arc::new(table());
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    let status = until(&runner, |status| status.state == RunState::Failed).await;
    let failure = status.failure.unwrap().refusal;
    assert_eq!(failure.code, Code::RecordsInvalid);
    assert_eq!(failure.extra["line"], 5);
    assert!(failure.text.en.starts_with("line 5 of the file d.csv"), "{}", failure.text.en);
    runner.stop().await;
    assert!(bus.records().is_empty());
    let spec = format!("on_invalid = \"quarantine\"\n{}", source("append", ""));
    let runner = start(folder.path(), &bus, &spec, RUN);
    let status = until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!((status.counts.accepted, status.counts.quarantined, status.counts.offered), (3, 1, 4));
    runner.stop().await;
}

/// Case 5: what cannot be read is told, tried again and left as it is; every other file is read.
async fn one_bad_file_costs_no_other(on_invalid: &str, bad: &[u8], code: Code) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d-1.csv");
    std::fs::write(&path, bad).unwrap();
    std::fs::write(folder.path().join("d-2.csv"), "id,name\n1,a\n2,b\n").unwrap();
    let bus = Arc::new(table());
    let spec = format!("on_invalid = \"{on_invalid}\"\n{}", source("append", ""));
    let runner = start(folder.path(), &bus, &spec, RUN);
    let status = until(&runner, |status| status.counts.accepted == 2).await;
    assert_eq!(status.failing.keys().collect::<Vec<_>>(), ["d-1.csv"], "{code}");
    // What is told of it is not taken back by what goes well.
    std::fs::write(folder.path().join("d-3.csv"), "id,name\n3,c\n").unwrap();
    let status = until(&runner, |status| status.counts.accepted == 3).await;
    let failure = status.failure.unwrap().refusal;
    assert_eq!((status.state, failure.code), (RunState::Failed, code));
    assert!(failure.text.en.contains("d-1.csv") && failure.text.zh.contains("d-1.csv"));
    let details = runner.status().borrow().details();
    assert_eq!(
        (&details["failing"]["total"], &details["failing"]["parts"][0]["part"]),
        (&1.into(), &"d-1.csv".into())
    );
    assert_eq!(details["last_error"]["code"], code.as_str());
    assert_eq!(std::fs::read(&path).unwrap(), bad, "a source's files are left alone");
    // Mended it is read, and nothing is wrong any more.
    std::fs::write(&path, "id,name\n4,d\n").unwrap();
    let status = until(&runner, |status| status.counts.accepted == 4 && status.failing.is_empty()).await;
    assert_eq!((status.state, status.failure), (RunState::Running, None));
    runner.stop().await;
    assert_eq!(names(&bus).len(), 4);
}

#[tokio::test]
async fn case_05_a_file_that_is_no_text_costs_no_other() {
    for on_invalid in ["reject", "quarantine"] {
        one_bad_file_costs_no_other(on_invalid, b"id,name\n9,\xff\xfe\n", Code::FileUnreadable).await;
    }
}

#[tokio::test]
async fn case_05_a_record_without_end_costs_no_other_file() {
    let bad = [b"id,name\n9,\"".as_slice(), &vec![b'x'; 5 << 20]].concat();
    for on_invalid in ["reject", "quarantine"] {
        one_bad_file_costs_no_other(on_invalid, &bad, Code::RecordTooLarge).await;
    }
}

#[tokio::test]
async fn case_22_a_record_that_does_not_fit_costs_no_other_file() {
    one_bad_file_costs_no_other("reject", b"id,name\nnine,z\n", Code::RecordsInvalid).await;
}

#[tokio::test]
async fn case_22_a_header_that_does_not_fit_costs_no_other_file() {
    for on_invalid in ["reject", "quarantine"] {
        one_bad_file_costs_no_other(on_invalid, b"id,what\n9,z\n", Code::Invalid).await;
    }
}

/// What is gone has nothing to fail with, and an order is the word that something was mended.
#[tokio::test]
async fn a_bad_file_that_is_taken_away_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d-1.csv"), "id,name\nnine,z\n").unwrap();
    let bus = Arc::new(table());
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    until(&runner, |status| status.state == RunState::Failed).await;
    std::fs::remove_file(folder.path().join("d-1.csv")).unwrap();
    let status = until(&runner, |status| status.failing.is_empty()).await;
    assert_eq!((status.state, status.failure), (RunState::Running, None));
    runner.stop().await;
}

#[tokio::test]
async fn an_order_given_again_ends_the_pause_between_two_attempts() {
    let (tell, told) = watch::channel(RUN);
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let (report, _status) = watch::channel(Status::new(clock.now()));
    let metrics = Arc::new(Metrics::register(&Registry::new()).unwrap());
    let mut control = Control::new(told, report, clock, metrics);
    assert!(control.proceed().await.is_continue());
    tell.send(Orders { version: 2, ..RUN }).unwrap();
    let hour = Duration::from_secs(3600);
    let waited = tokio::time::timeout(Duration::from_secs(30), control.wait(hour)).await;
    assert!(waited.expect("it does not wait an hour").is_continue());
}

#[tokio::test]
async fn pause_holds_and_stop_ends() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), "id,name\n1,a\n").unwrap();
    let bus = Arc::new(table());
    let paused = Orders { desired: Desired::Paused, ..RUN };
    let runner = start(folder.path(), &bus, &source("append", ""), paused);
    until(&runner, |status| status.state == RunState::Paused).await;
    assert_eq!(bus.inner.lock().publishes, 0);
    runner.order(RUN);
    until(&runner, |status| status.caught_up_at.is_some() && status.state == RunState::Running).await;
    let told = runner.status();
    runner.stop().await;
    assert_eq!(told.borrow().state, RunState::Stopped);
    assert_eq!(bus.records().len(), 1);
}

#[test]
fn a_connectors_file_is_a_source_or_a_sink_and_nothing_else() {
    let read = |text: &str| {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        ConnectorSpec::from_value(&value).map_err(|refusal| refusal.code)
    };
    let grant = "grant = \"01890a5d-ac96-774b-bcce-b302099a8057\"\n";
    read(&source("append", "")).unwrap();
    read(&format!("name = \"out\"\n{grant}[sink.sql]\nurl = \"sqlite:a.db\"\ntable = \"t\"\n")).unwrap();
    for text in [
        "name = \"x\"\nresource = \"307022-000001\"\n".to_owned(),
        format!("name = \"x\"\n{grant}[source.file]\npath = \"a\"\nformat = \"csv\"\n"),
        format!("{grant}{}", source("append", "")),
        source("append", "surprise = 1"),
        source("append", "").replace("d*.csv", "d.csv\"\ndelimiter = \";;"),
        format!("name = \"x\"\n{grant}[sink.sql]\nurl = \"postgres://u:p@h/d\"\ntable = \"t\"\n"),
        format!("name = \"x\"\n{grant}[sink.sql]\nurl = \"sqlite:a.db\"\ntable = \"t;\"\n"),
        format!("name = \"x\"\n{grant}[sink.sql]\nurl = \"mysql://h/d\"\ntable = \"t\"\n"),
    ] {
        assert_eq!(read(&text), Err(Code::Invalid), "{text}");
    }
    for path in ["/etc/passwd", "../a.csv"] {
        assert_eq!(read(&source("append", "").replace("d*.csv", path)), Err(Code::PathOutsideRoot));
    }
}
