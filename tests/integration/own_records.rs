//! An owner reads its own records: every page has its event, kept before it leaves.

use serde_json::{Value, json};

use crate::support::{Client, Shared, TestApp, on_both_pairs};

on_both_pairs!(every_page_has_its_event);

async fn every_page_has_its_event(app: &TestApp) {
    let shared = Shared::of(app, json!({})).await;
    let owner = &shared.world.provider.integrator;
    let path = format!("/api/v1/resources/{}/records", shared.code);
    page(owner, &path, 0).await;
    shared.publish(0..30).await;
    let mut cursor = String::new();
    let mut pages = Vec::new();
    for expected in [20, 10, 0] {
        cursor = format!("&cursor={}", page(owner, &format!("{path}?limit=20{cursor}"), expected).await);
        pages.extend((expected > 0).then_some(expected));
    }
    shared.world.consumer.integrator.get(&path).await.expect(403);
    let events = shared.world.auditor.get("/api/v1/audit/events?code=steward.read").await.expect(200);
    let events: Vec<&Value> = events["items"].as_array().expect("events").iter().collect();
    let mut sent: Vec<usize> =
        events.iter().map(|event| event["sent"].as_u64().expect("a count") as usize).collect();
    sent.sort_unstable();
    pages.sort_unstable();
    assert_eq!(sent, pages, "one event of each page with records: {events:?}");
    for event in events {
        let sum = |at: &str| {
            let offsets = event[at].as_array().expect("offsets").iter();
            offsets.map(|offset| offset.as_u64().expect("an offset")).sum::<u64>()
        };
        assert_eq!(sum("through") - sum("from"), event["sent"].as_u64().expect("a count"), "{event}");
        assert_eq!(event["phase"], "ended");
        assert_eq!(event["actor"]["account"], shared.world.provider.integrator_account.as_str());
    }
}

/// Reads a page of so many records; answers the cursor behind it.
async fn page(owner: &Client, path: &str, records: usize) -> String {
    let lines = owner.get(path).await.lines();
    assert_eq!(lines.len(), records + 1, "{lines:?}");
    lines[records]["next"].as_str().expect("a cursor").to_owned()
}
