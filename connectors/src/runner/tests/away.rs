//! Nobody answers for an hour, by a clock that passes where everybody waits: it asks on at its pauses, says why it stands
//! still, and catches up within one of them, with nothing lost or doubled.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
/// The longest pause between two attempts, and a look at the files.
const BACK_WITHIN: Duration = Duration::from_secs(62);

/// An hour without an answer, of which this happens in the middle.
async fn an_hour_away(bus: &MemoryBus, runner: &Runner, meanwhile: impl FnOnce()) {
    bus.inner.lock().away = Some(0);
    tokio::time::sleep(HOUR / 2).await;
    meanwhile();
    tokio::time::sleep(HOUR / 2).await;
    let status = runner.status().borrow().clone();
    let failure = status.failure.expect("it says why");
    assert_eq!((status.state, failure.refusal.code), (RunState::Failed, Code::ServerUnreachable));
    assert!(failure.retry_in <= Duration::from_secs(60), "{:?}", failure.retry_in);
    let asked = bus.inner.lock().away.take().expect("a count");
    // Pauses of thirty seconds to a minute, and some shorter ones before them.
    assert!((60..=130).contains(&asked), "{asked} calls");
}

/// How long it takes until that is so.
async fn after(runner: &Runner, what: impl FnMut(&Status) -> bool) -> (Duration, Status) {
    let (began, mut status) = (tokio::time::Instant::now(), runner.status());
    let seen = tokio::time::timeout(HOUR, status.wait_for(what)).await;
    let seen = seen.expect("it comes to that").expect("it runs").clone();
    (began.elapsed(), seen)
}

#[tokio::test(start_paused = true)]
async fn a_source_that_nobody_answered_for_an_hour_publishes_all_of_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    let add = |ids: std::ops::Range<u32>| {
        let lines: String = ids.map(|id| format!("{id},n{id}\n")).collect();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "id,name\n".to_owned());
        std::fs::write(&path, text + &lines).unwrap();
    };
    add(0..4);
    let bus = Arc::new(table());
    let runner = start(folder.path(), &bus, &source("append", ""), RUN);
    after(&runner, |status| status.counts.accepted == 4 && status.caught_up_at.is_some()).await;
    add(4..10);
    an_hour_away(&bus, &runner, || add(10..20)).await;
    let (took, status) = after(&runner, |status| status.counts.accepted == 20).await;
    assert!(took <= BACK_WITHIN, "{took:?}");
    assert_eq!((status.state, status.failure), (RunState::Running, None));
    let (_, status) = after(&runner, |status| status.bytes_left == Some(0)).await;
    assert_eq!(status.counts.accepted, 20);
    runner.stop().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{{\"id\":{id},\"name\":\"n{id}\"}}")).collect();
    assert_eq!(bus.records(), ids, "in their order, each once");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_nobody_answered_for_an_hour_holds_all_of_it_once() {
    let (folder, bus) = (tempfile::tempdir().unwrap(), sinks::bus("stream"));
    sinks::put(&bus, 0..10);
    let runner = start(folder.path(), &bus, &sinks::spec(sinks::FILE), RUN);
    after(&runner, |status| status.counts.delivered == 10 && status.caught_up_at.is_some()).await;
    an_hour_away(&bus, &runner, || sinks::put(&bus, 10..50)).await;
    let (took, status) = after(&runner, |status| status.counts.delivered == 50).await;
    assert!(took <= BACK_WITHIN, "{took:?}");
    assert_eq!((status.state, status.failure, status.gaps), (RunState::Running, None, 0));
    runner.stop().await;
    assert_eq!(sinks::held(folder.path(), sinks::FILE).await, Vec::from_iter(0..50));
    assert_eq!(bus.inner.lock().position, 50, "it is acknowledged");
}
