//! `replace`: what differs is published, and a person is asked where a file looks wrong.

use changtong_catalog::mac::hex;
use sha2::{Digest as _, Sha256};

use super::*;

#[tokio::test]
async fn a_replaced_file_publishes_the_difference_and_waits_where_too_much_would_go() {
    let folder = tempfile::tempdir().unwrap();
    let put = |text: &str| {
        std::fs::write(folder.path().join("new"), text).unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join("d.csv")).unwrap();
    };
    put("id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n1,z\n");
    let bus = Arc::new(table());
    let runner = start(folder.path(), &bus, &source("replace", "max_deletes = \"20%\""), RUN);
    until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!(
        names(&bus),
        ["{id:1,name:z}", "{id:2,name:b}", "{id:3,name:c}", "{id:4,name:d}", "{id:5,name:e}"]
    );
    assert_eq!(bus.records().len(), 5, "of one key only the last line is published");

    put("id,name\n1,z\n2,B\n3,c\n4,d\n6,f\n");
    until(&runner, |status| status.counts.deleted == 1).await;
    assert_eq!(
        names(&bus),
        ["{id:1,name:z}", "{id:2,name:B}", "{id:3,name:c}", "{id:4,name:d}", "{id:6,name:f}"]
    );
    assert_eq!(bus.records().len(), 8, "two upserts, one delete");

    put("id,name\n1,z\n2,B\n");
    let status = until(&runner, |status| status.state == RunState::Confirm).await;
    assert_eq!(status.failure.unwrap().refusal.code, Code::ConfirmRequired);
    assert_eq!(names(&bus).len(), 5);
    runner.order(Orders { confirmations: 1, ..RUN });
    until(&runner, |status| status.counts.deleted == 4).await;
    assert_eq!(names(&bus), ["{id:1,name:z}", "{id:2,name:B}"]);
    runner.stop().await;

    // A file whose last line has no end is not whole.
    put("id,name\n1,q\n2,B");
    let runner = start(folder.path(), &bus, &source("replace", ""), RUN);
    let status = until(&runner, |status| status.state == RunState::Failed).await;
    assert_eq!(status.failure.unwrap().refusal.code, Code::FileUnreadable);
    runner.stop().await;
}

#[tokio::test]
async fn an_earlier_file_than_the_last_is_no_full_state_unless_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let put = |day: u32, text: &str| {
        std::fs::write(folder.path().join("new"), text).unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join(format!("d{day}.csv"))).unwrap();
    };
    let spec = source("replace", "max_deletes = \"100%\"");
    let bus = Arc::new(table());
    put(1, "id,name\n1,old\n");
    put(2, "id,name\n1,new\n2,b\n");
    let today = ["{id:1,name:new}", "{id:2,name:b}"];
    let runner = start(folder.path(), &bus, &spec, RUN);
    until(&runner, |status| status.caught_up_at.is_some()).await;
    runner.stop().await;
    assert_eq!(names(&bus), today);

    // What was read is archived; the day before lies there still.
    std::fs::remove_file(folder.path().join("d2.csv")).unwrap();
    let runner = start(folder.path(), &bus, &spec, RUN);
    let asks = |status: &Status| status.state == RunState::Confirm || status.caught_up_at.is_some();
    let status = until(&runner, asks).await;
    assert_eq!(names(&bus), today, "yesterday's is not published unasked");
    let refusal = status.failure.unwrap().refusal;
    assert_eq!((refusal.code, refusal.extra["deletes"].as_u64()), (Code::ConfirmRequired, Some(1)));
    for text in [&refusal.text.zh, &refusal.text.en] {
        assert!(text.contains("d1.csv") && text.contains("d2.csv"), "{text}");
    }
    // Tomorrow's is the last again, and is read without a word.
    put(3, "id,name\n1,new\n3,c\n");
    runner.order(Orders { version: 2, ..RUN });
    until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!(names(&bus), ["{id:1,name:new}", "{id:3,name:c}"]);
    std::fs::remove_file(folder.path().join("d3.csv")).unwrap();
    runner.stop().await;

    let runner = start(folder.path(), &bus, &spec, RUN);
    until(&runner, |status| status.state == RunState::Confirm).await;
    runner.order(Orders { confirmations: 1, ..RUN });
    until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!(names(&bus), ["{id:1,name:old}"], "a person may go back to it");
    runner.stop().await;
    // And from there on, without a word.
    put(2, "id,name\n5,e\n");
    let runner = start(folder.path(), &bus, &spec, RUN);
    until(&runner, |status| status.caught_up_at.is_some()).await;
    assert_eq!(names(&bus), ["{id:5,name:e}"]);
    runner.stop().await;
}

#[tokio::test]
async fn a_position_from_before_files_had_names_in_it_is_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = "id,name\n1,a\n2,b\n";
    std::fs::write(folder.path().join("d1.csv"), text).unwrap();
    let bus = Arc::new(table());
    let old = |state: &str| {
        let digest = hex(&Sha256::digest(text));
        format!("r1:{digest}:1:0:{state}")
    };
    let spec = source("replace", "");
    for (state, rows) in [("done", 0), ("part", 2)] {
        bus.inner.lock().positions.insert("in".to_owned(), old(state));
        let runner = start(folder.path(), &bus, &spec, RUN);
        until(&runner, |status| status.caught_up_at.is_some()).await;
        runner.stop().await;
        assert_eq!(names(&bus).len(), rows, "{state}");
    }
    let position = bus.inner.lock().positions["in"].clone();
    assert!(position.ends_with(":done:ZDEuY3N2"), "the name is in it from now on: {position}");
}
