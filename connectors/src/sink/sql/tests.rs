//! The table against a model, with redelivery, crashes and a second writer; on SQLite here, on PostgreSQL through the
//! whole application in tests/integration/connectors.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use changtong_catalog::error::Code;
use changtong_catalog::ids::SubscriptionId;
use changtong_catalog::resource::AvroType;
use proptest::prelude::*;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use uuid::Uuid;

use super::refusals::silent;
use super::*;
use crate::bus::GrantedItem;
use crate::runner::tests::Alone;

fn subscribed(kind: Kind) -> Subscribed {
    let item = |name: &str, avro| GrantedItem { name: name.to_owned(), avro, nullable: true };
    Subscribed {
        id: SubscriptionId(Uuid::from_u128(1)),
        kind,
        deletes: true,
        items: vec![
            item("text", AvroType::String),
            item("n", AvroType::Long),
            item("x", AvroType::Double),
            item("yes", AvroType::Boolean),
            item("raw", AvroType::Bytes),
            item("money", AvroType::Decimal { precision: 20, scale: 2 }),
        ],
        created: false,
    }
}

fn sink(folder: &Path) -> SqlSink {
    let spec = SqlSinkSpec { url: "sqlite:c.db".to_owned(), password: None, table: "copy".to_owned() };
    SqlSink::new(spec, Root::open(folder).unwrap(), Arc::new(Alone))
}

fn line(offset: usize, k: &str, value: Option<i64>) -> Line {
    let record = value.map(|n| {
        json!({"text": format!("t{n}"), "n": n, "x": 0.5, "yes": n > 3, "raw": "AAE=", "money": "12345678901234567.89"})
    });
    serde_json::from_value(json!({
        "id": format!("1.0.{offset}"),
        "op": if value.is_some() { "upsert" } else { "delete" },
        "k": k,
        "published_at": "2026-01-01T00:00:00.000Z",
        "record": record,
    }))
    .unwrap()
}

async fn rows(folder: &Path) -> BTreeMap<String, i64> {
    let url = format!("sqlite:{}", folder.join("c.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT \"_k\", n FROM copy").fetch_all(&mut connection).await.unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn values_keep_their_types_and_digits() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path());
    assert_eq!(sink.open(&subscribed(Kind::Table), 0).await.unwrap(), None);
    let lines = [line(0, "a", Some(9))];
    sink.apply(&Batch { lines: &lines, next: "c", begins: true }).await.unwrap();
    let url = format!("sqlite:{}", folder.path().join("c.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let row: (String, String, i64, f64, bool, Vec<u8>, String) =
        sqlx::query_as("SELECT \"_id\", text, n, x, yes, raw, money FROM copy")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let wanted = ("1.0.0", "t9", 9, 0.5, true, vec![0, 1], "12345678901234567.89");
    assert_eq!((row.0.as_str(), row.1.as_str(), row.2, row.3, row.4, row.5, row.6.as_str()), wanted);
}

#[tokio::test]
async fn a_subscription_without_deletes_or_a_table_of_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let without = Subscribed { deletes: false, ..subscribed(Kind::Table) };
    let refused = sink(folder.path()).open(&without, 0).await.unwrap_err();
    assert_eq!(refused.code, Code::DeletesForbidden);
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("c.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE copy (n INTEGER)").execute(&mut connection).await.unwrap();
    let refused = sink(folder.path()).open(&subscribed(Kind::Table), 0).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
}

#[tokio::test]
async fn the_writer_of_before_changes_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (mut old, mut new) = (sink(folder.path()), sink(folder.path()));
    old.open(&subscribed(Kind::Table), 0).await.unwrap();
    let first = [line(0, "a", Some(1))];
    old.apply(&Batch { lines: &first, next: "c1", begins: true }).await.unwrap();
    assert_eq!(new.open(&subscribed(Kind::Table), 0).await.unwrap().as_deref(), Some("c1"));
    let late = [line(1, "b", Some(2))];
    let refused = old.apply(&Batch { lines: &late, next: "c2", begins: false }).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert_eq!(rows(folder.path()).await, BTreeMap::from([("a".to_owned(), 1)]));
    drop(old);
    new.apply(&Batch { lines: &late, next: "c2", begins: false }).await.unwrap();
    assert_eq!(rows(folder.path()).await.len(), 2);
}

/// Its writer never comes back: SQLite itself would wait for some seconds, a host that was cut off for ever.
#[tokio::test]
async fn a_target_that_never_answers_is_given_up_and_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = sink(folder.path());
    writer.open(&subscribed(Kind::Table), 0).await.unwrap();
    writer.apply(&Batch { lines: &[line(0, "a", Some(1))], next: "c1", begins: true }).await.unwrap();
    let url = format!("sqlite:{}", folder.path().join("c.db").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let lines = [line(1, "b", Some(2))];
    let batch = Batch { lines: &lines, next: "c2", begins: false };
    writer.open.as_mut().unwrap().target.patience = Duration::from_millis(1);
    let refused = writer.apply(&batch).await.unwrap_err();
    assert_eq!((refused.code, &refused.text), (Code::StoreUnavailable, &silent(Duration::ZERO).text));
    // The connection is given up with whatever it had begun.
    assert!(writer.open.is_none());
    other.close().await.unwrap();
    let mut again = sink(folder.path());
    assert_eq!(again.open(&subscribed(Kind::Table), 0).await.unwrap().as_deref(), Some("c1"));
    again.apply(&batch).await.unwrap();
    assert_eq!(rows(folder.path()).await.len(), 2);
}

#[tokio::test]
async fn a_new_view_a_reset_and_a_dropped_table_begin_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = sink(folder.path());
    writer.open(&subscribed(Kind::Table), 0).await.unwrap();
    writer.apply(&Batch { lines: &[line(0, "a", Some(1))], next: "c1", begins: true }).await.unwrap();
    writer.apply(&Batch { lines: &[line(0, "b", Some(2))], next: "v2", begins: true }).await.unwrap();
    assert_eq!(
        rows(folder.path()).await,
        BTreeMap::from([("b".to_owned(), 2)]),
        "the old view's rows are gone"
    );
    assert_eq!(sink(folder.path()).open(&subscribed(Kind::Table), 1).await.unwrap(), None, "reset");
    assert_eq!(sink(folder.path()).open(&subscribed(Kind::Table), 0).await.unwrap().as_deref(), Some("v2"));
    let url = format!("sqlite:{}", folder.path().join("c.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DROP TABLE copy").execute(&mut connection).await.unwrap();
    assert_eq!(sink(folder.path()).open(&subscribed(Kind::Table), 0).await.unwrap(), None, "dropped");
}

#[tokio::test]
async fn lines_of_a_stream_are_added_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = sink(folder.path());
    writer.open(&subscribed(Kind::Stream), 0).await.unwrap();
    let mut fact = line(0, "", Some(1));
    (fact.op, fact.k) = (None, None);
    let lines = [fact.clone(), fact];
    let written = writer.apply(&Batch { lines: &lines, next: "c1", begins: true }).await.unwrap();
    assert_eq!(written, Written { upserts: 1, deletes: 0 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Batches of any size, some delivered again from an earlier place, the process dying in between.
    #[test]
    fn the_table_follows_the_lines_whatever_is_redelivered(
        changes in prop::collection::vec((0_u8..6, prop::option::weighted(0.7, 0_i64..9)), 1..40),
        steps in prop::collection::vec((1_usize..9, 0_usize..6, any::<bool>()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let lines: Vec<Line> =
                changes.iter().enumerate().map(|(at, (k, value))| line(at, &format!("k{k}"), *value)).collect();
            let mut writer = sink(folder.path());
            writer.open(&subscribed(Kind::Table), 0).await.unwrap();
            let (mut at, mut begins, mut far) = (0_usize, true, 0);
            for (count, back, dies) in steps.into_iter().chain([(usize::MAX, 0, false)]) {
                if dies {
                    drop(writer);
                    writer = sink(folder.path());
                    let held = writer.open(&subscribed(Kind::Table), 0).await.unwrap();
                    assert_eq!(held.is_none(), begins);
                }
                let to = at.saturating_add(count).min(lines.len());
                let batch = Batch { lines: &lines[at..to], next: &to.to_string(), begins };
                writer.apply(&batch).await.unwrap();
                begins = false;
                far = far.max(to);
                // A seek of a person: earlier lines come again, up to the end.
                at = to.saturating_sub(back);
            }
            let batch = Batch { lines: &lines[at..], next: "end", begins: false };
            writer.apply(&batch).await.unwrap();
            let mut model = BTreeMap::new();
            for (k, value) in &changes {
                match value {
                    Some(n) => model.insert(format!("k{k}"), *n),
                    None => model.remove(&format!("k{k}")),
                };
            }
            assert_eq!(far, lines.len());
            assert_eq!(rows(folder.path()).await, model);
        });
    }
}
