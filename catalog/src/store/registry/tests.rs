//! What is asked often, or by anybody, finds its rows by indexes, however many others there are.

use sqlx::{AssertSqlSafe, query_as, raw_sql};

use super::{contents, known, seen};
use crate::registry::{Content, Context, Subject};
use crate::store::dispatch::{Conn, within};
use crate::store::{Store, testing};
use crate::testing::subject_with;

/// How SQLite goes about a statement, a line for each table.
async fn plan(store: &Store, sql: &str) -> Vec<String> {
    let explained = format!("EXPLAIN QUERY PLAN {sql}");
    let mut session = store.read().await.unwrap();
    let Conn::Sqlite(conn) = session.conn() else { return Vec::new() };
    let lines: Vec<(i64, i64, i64, String)> =
        within(query_as(AssertSqlSafe(explained)).fetch_all(conn)).await.unwrap();
    lines.into_iter().map(|(_, _, _, line)| line).collect()
}

#[tokio::test]
async fn who_has_a_schema_is_found_by_indexes() {
    let fresh = testing::sqlite().await;
    for (sql, indexes) in [
        (known::GRANTS, &["share_grant_schema"][..]),
        (contents::FORGET, &["share_grant_schema", "resource_value_schema", "resource_key_schema"]),
        (seen::NAMES, &["registry_subject_owner"]),
    ] {
        let plan = plan(&fresh.store, sql).await;
        for index in indexes {
            assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:#?}");
        }
    }
    for sql in [known::GRANTS, contents::FORGET] {
        let plan = plan(&fresh.store, sql).await;
        assert!(!plan.iter().any(|line| line.starts_with("SCAN")), "{plan:#?}");
    }
    fresh.done().await;
}

/// What is not needed is made unreadable.
async fn of_a_guid_one_copy_is_read(store: &Store) {
    const SPOIL: &str = "UPDATE context_schema SET beside = 'not JSON'";
    let content = [Content::of_text("\"int\"")];
    let mut caller = None;
    for subject in ["s", ":.a:s", ":.b:s"] {
        caller = Some(subject_with(store, &Subject::read(subject), &content).await);
    }
    let caller = caller.unwrap();
    let mut tx = store.begin().await.unwrap();
    match tx.conn() {
        Conn::Sqlite(conn) => within(raw_sql(SPOIL).execute(conn)).await.map(drop).unwrap(),
        Conn::Postgres(conn) => within(raw_sql(SPOIL).execute(conn)).await.map(drop).unwrap(),
    }
    tx.finish().await.unwrap();
    let guid = content[0].guid().to_string();
    let known = store.registry_guid(&caller, &guid).await.unwrap();
    assert_eq!((&known.context, &known.content.text), (&Context::default(), &content[0].text));
    let ids = store.registry_guid_ids(&caller, &guid).await.unwrap();
    assert_eq!(ids.iter().map(|(context, _)| context.as_str()).collect::<Vec<_>>(), [".", ".a", ".b"]);
}

crate::conformance!(of_a_guid_one_copy_is_read);
