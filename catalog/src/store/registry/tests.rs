//! What is asked often, or by anybody, finds its rows by indexes, however many others there are.

use sqlx::{AssertSqlSafe, query_as};

use super::{contents, known, seen};
use crate::store::dispatch::{Conn, within};
use crate::store::{Store, testing};

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
