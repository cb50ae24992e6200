//! Sinks under the runner, on a bus in memory: where the log no longer has what comes next, they go on and say so.

use super::*;

const SQL: &str = "[sink.sql]\nurl = \"sqlite:copy.db\"\ntable = \"copy\"\n";
pub(super) const FILE: &str = "[sink.file]\npath = \"copy.ndjson\"\nformat = \"ndjson\"\n";

pub(super) fn spec(target: &str) -> String {
    format!("name = \"out\"\ngrant = \"01890a5d-ac96-774b-bcce-b302099a8057\"\n{target}")
}

pub(super) fn bus(kind: &str) -> Arc<MemoryBus> {
    let key: &[&str] = if kind == "table" { &["id"] } else { &[] };
    Arc::new(MemoryBus::new(standing(file(kind, key, ITEMS))))
}

/// Lines of these offsets, as they are delivered.
pub(super) fn put(bus: &MemoryBus, offsets: std::ops::Range<usize>) {
    let table = bus.standing.resource.file.kind == changtong_catalog::resource::Kind::Table;
    let lines = offsets.map(|at| {
        let row = if table { format!(r#""op":"upsert","k":"k{at}","#) } else { String::new() };
        format!(
            r#"{{"id":"1.0.{at}",{row}"published_at":"2026-01-01T00:00:00.000Z","record":{{"id":{at},"name":null}}}}"#
        )
    });
    bus.inner.lock().lines.extend(lines);
}

/// The offsets that a copy holds.
pub(super) async fn held(folder: &Path, target: &str) -> Vec<usize> {
    let offset = |id: &str| id.rsplit('.').next().unwrap().parse().unwrap();
    if target == FILE {
        let text = std::fs::read_to_string(folder.join("copy.ndjson")).unwrap();
        let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone();
        return text.lines().map(|line| offset(id(line).as_str().unwrap())).collect();
    }
    use sqlx::Connection as _;
    let url = format!("sqlite:{}", folder.join("copy.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let ids = sqlx::query_scalar("SELECT \"_id\" FROM copy").fetch_all(&mut connection).await;
    let ids: Vec<String> = ids.unwrap();
    let mut offsets: Vec<usize> = ids.iter().map(|id| offset(id)).collect();
    offsets.sort_unstable();
    offsets
}

/// Ten lines are delivered; while it stands still ten more come, of which the log keeps the last three.
async fn comes_too_late(kind: &str, target: &str, left: Vec<usize>) {
    let (folder, bus) = (tempfile::tempdir().unwrap(), bus(kind));
    put(&bus, 0..10);
    let runner = start(folder.path(), &bus, &spec(target), RUN);
    until(&runner, |status| status.counts.delivered == 10 && status.caught_up_at.is_some()).await;
    runner.stop().await;
    assert_eq!(held(folder.path(), target).await, Vec::from_iter(0..10));
    put(&bus, 10..20);
    bus.inner.lock().kept = 17;
    let runner = start(folder.path(), &bus, &spec(target), RUN);
    let status = until(&runner, |status| status.counts.delivered >= 3 && status.caught_up_at.is_some()).await;
    assert_eq!((status.state, status.gaps, status.gap_at.is_some()), (RunState::Running, 1, true), "{kind}");
    assert_eq!(runner.status().borrow().details()["gaps"]["total"], 1);
    // From there on it goes as always.
    put(&bus, 20..22);
    until(&runner, |status| status.counts.delivered == 5).await;
    runner.stop().await;
    assert_eq!(held(folder.path(), target).await, left, "{kind}");
    assert_eq!(bus.inner.lock().position, 22);
}

#[tokio::test]
async fn a_stream_that_came_too_late_keeps_what_it_has_and_goes_on() {
    for target in [SQL, FILE] {
        comes_too_late("stream", target, (0..10).chain(17..22).collect()).await;
    }
}

/// Of a table nobody knows which rows changed in between, so it holds what there is and nothing older.
#[tokio::test]
async fn a_table_that_came_too_late_begins_anew() {
    for target in [SQL, FILE] {
        comes_too_late("table", target, (17..22).collect()).await;
    }
}

/// A copy that is only begun has missed nothing: it begins where the log does.
#[tokio::test]
async fn a_new_copy_of_a_log_that_lost_its_front_has_no_gap() {
    for kind in ["stream", "table"] {
        let (folder, bus) = (tempfile::tempdir().unwrap(), bus(kind));
        put(&bus, 0..10);
        bus.inner.lock().kept = 4;
        let runner = start(folder.path(), &bus, &spec(SQL), RUN);
        let status = until(&runner, |status| status.counts.delivered == 6).await;
        assert_eq!(status.gaps, 0);
        runner.stop().await;
        assert_eq!(held(folder.path(), SQL).await, Vec::from_iter(4..10));
    }
}
