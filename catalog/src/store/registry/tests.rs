//! What is asked often, or by anybody, finds its rows by indexes, however many others there are.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _, query_as, raw_sql};

use super::{contents, known, seen, versions};
use crate::registry::{Beside, Content, Context, Subject, Wrong};
use crate::store::dispatch::{Conn, within};
use crate::store::{Session, Store, testing};
use crate::testing::subject_with;

/// A statement that is asked often or by anybody, with the types of what it is given.
struct Asked {
    sql: &'static str,
    given: &'static str,
    /// Tables of which it looks at no more than an index says.
    found: &'static [&'static str],
}

const SEEN: &str = "uuid, bool, bool, text, int";
const USERS: &str = "uuid, bool, bool, text, int, text, bool, bigint, bigint";
const LISTED: &str = "uuid, bool, bool, text, text, bool, bool, text, text, bigint, bigint";

const ASKED: [Asked; 10] = [
    Asked {
        sql: known::VERSIONS,
        given: "text, int, bigint",
        found: &["registry_version", "registry_subject", "resource"],
    },
    Asked { sql: known::GRANTS, given: "int, bigint", found: &["grant_schema", "share_grant", "resource"] },
    Asked {
        sql: contents::FORGET,
        given: "int",
        found: &["schema_text", "registry_version", "resource", "grant_schema"],
    },
    Asked { sql: seen::SEES, given: SEEN, found: &["registry_version", "registry_subject", "resource"] },
    Asked { sql: seen::USES, given: USERS, found: &["registry_version", "registry_subject", "resource"] },
    Asked { sql: seen::USERS, given: USERS, found: &["registry_version", "registry_subject", "resource"] },
    Asked { sql: seen::NAMES, given: LISTED, found: &["registry_version"] },
    Asked { sql: seen::CONTEXTS, given: "uuid, bool, bool", found: &["registry_context"] },
    Asked {
        sql: versions::NEXT,
        given: "text, text, int, bigint",
        found: &["registry_version", "schema_text", "context_schema"],
    },
    Asked {
        sql: versions::NEWEST,
        given: "text, text, int, bool, bigint",
        found: &["registry_version", "schema_text", "context_schema"],
    },
];

/// How SQLite goes about a statement, a line for each table.
async fn steps(session: &mut Session, sql: &str) -> Vec<String> {
    let explained = format!("EXPLAIN QUERY PLAN {sql}");
    let Conn::Sqlite(conn) = session.conn() else { panic!("not SQLite") };
    let lines: Vec<(i64, i64, i64, String)> =
        within(query_as(AssertSqlSafe(explained)).fetch_all(conn)).await.unwrap();
    lines.into_iter().map(|(_, _, _, line)| line).collect()
}

/// By what it is called in the statement, or its own name.
fn is_of(line: &str, table: &str, sql: &str) -> bool {
    let name = line.split(' ').nth(1).unwrap_or_default();
    name == table || sql.contains(&format!("{table} {name} "))
}

#[tokio::test]
async fn sqlite_finds_by_indexes_what_is_asked_often() {
    let fresh = testing::sqlite().await;
    let mut session = fresh.store.read().await.unwrap();
    for Asked { sql, found, .. } in ASKED {
        let steps = steps(&mut session, sql).await;
        for table in found {
            let of: Vec<_> = steps.iter().filter(|line| is_of(line, table, sql)).collect();
            assert!(of.iter().any(|line| line.starts_with("SEARCH")), "{table}: {sql}: {steps:#?}");
            assert!(!of.iter().any(|line| line.starts_with("SCAN")), "{table}: {sql}: {steps:#?}");
        }
        let all = |line: &String| line.contains("registry_schema");
        assert!(!steps.iter().any(all), "the view is not made to be joined: {sql}: {steps:#?}");
    }
    for (sql, index) in [
        (known::VERSIONS, "registry_version_id"),
        (known::GRANTS, "sqlite_autoindex_grant_schema_1"),
        (contents::FORGET, "resource_value_schema"),
        (contents::FORGET, "resource_key_schema"),
        (seen::NAMES, "registry_subject_owner"),
        (seen::CONTEXTS, "registry_subject_owner"),
    ] {
        let steps = steps(&mut session, sql).await;
        assert!(steps.iter().any(|line| line.contains(index)), "{index}: {sql}: {steps:#?}");
    }
    drop(session);
    fresh.done().await;
}

/// How PostgreSQL goes about a statement whatever it is given, where it reads no table from end to end unless it must.
async fn plan(session: &mut Session, Asked { sql, given, .. }: &Asked) -> Value {
    let nulls = vec!["NULL"; given.split(',').count()].join(", ");
    let prepared = format!("PREPARE asked ({given}) AS {sql}");
    let explained = format!("EXPLAIN (FORMAT JSON) EXECUTE asked ({nulls})");
    let Conn::Postgres(conn) = session.conn() else { panic!("not PostgreSQL") };
    for statement in
        [prepared, "SET enable_seqscan = off".into(), "SET plan_cache_mode = force_generic_plan".into()]
    {
        within(raw_sql(AssertSqlSafe(statement)).execute(&mut *conn)).await.unwrap();
    }
    let row = within(raw_sql(AssertSqlSafe(explained)).fetch_one(&mut *conn)).await.unwrap();
    within(raw_sql("DEALLOCATE asked").execute(&mut *conn)).await.unwrap();
    serde_json::from_str(&row.try_get_unchecked::<String, _>(0).unwrap()).unwrap()
}

/// All that a plan does, those above first.
fn nodes<'a>(plan: &'a Value, found: &mut Vec<&'a Value>) {
    match plan {
        Value::Array(all) => all.iter().for_each(|plan| nodes(plan, found)),
        Value::Object(members) => {
            if members.contains_key("Node Type") {
                found.push(plan);
            }
            members.values().for_each(|plan| nodes(plan, found));
        }
        _ => {}
    }
}

async fn postgres_finds_by_indexes_what_is_asked_often(store: &Store) {
    let mut session = store.read().await.unwrap();
    for asked in &ASKED {
        let plan = plan(&mut session, asked).await;
        let mut steps = Vec::new();
        nodes(&plan, &mut steps);
        for table in asked.found {
            let reads =
                |step: &&&Value| step["Relation Name"] == *table && step["Node Type"] != "ModifyTable";
            let of: Vec<_> = steps.iter().filter(reads).collect();
            let found =
                |step: &&&Value| step.get("Index Cond").is_some() || step.get("Recheck Cond").is_some();
            assert!(!of.is_empty() && of.iter().all(found), "{table}: {}: {plan:#}", asked.sql);
        }
        if asked.sql == known::VERSIONS {
            let of_the_id = |step: &&Value| step["Index Name"] == "registry_version_id";
            assert!(steps.iter().any(of_the_id), "{}: {plan:#}", asked.sql);
        }
        if asked.sql == seen::NAMES || asked.sql == seen::CONTEXTS {
            // What a steward alone sees is not looked at for others.
            let once = |step: &&Value| step["One-Time Filter"] == "$3";
            assert!(steps.iter().any(once), "{}: {plan:#}", asked.sql);
            let owner = |step: &&Value| step["Index Name"] == "registry_subject_owner";
            assert!(steps.iter().any(owner), "{}: {plan:#}", asked.sql);
        }
    }
}

#[tokio::test]
async fn on_postgres_too() {
    testing::on_postgres(async |store| postgres_finds_by_indexes_what_is_asked_often(store).await).await;
}

/// A content with a property beside its text.
fn said(number: usize, value: &str) -> Content {
    let beside = json!({"metadata": {"properties": {"stage": value}}});
    let beside: Beside = serde_json::from_value(beside).unwrap();
    Content { text: format!(r#"{{"type":"string","n":{number}}}"#), beside }
}

/// Behind more versions than one part has.
async fn the_newest_with_what_is_asked_for_is_found_in_whatever_part(store: &Store) {
    let subject = Subject::read("s");
    let mut contents: Vec<_> = (0..40).map(|number| said(number, "test")).collect();
    contents[3] = said(3, "live");
    contents[20] = Content::of_text("\"int\"");
    let caller = subject_with(store, &subject, &contents).await;
    let asked = async |value: &str| {
        let pairs = [("stage".to_owned(), value.to_owned())];
        store.registry_with_metadata(&caller, &subject, &pairs, false).await
    };
    assert_eq!(asked("test").await.unwrap().version, 40);
    assert_eq!(asked("live").await.unwrap().version, 4);
    assert_eq!(asked("gone").await, Err(Wrong::SchemaNotFound(None)));
}

/// Whoever comes while it is looked through gets the connection behind the next part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_beside_versions_is_looked_through_with_no_connection_kept() {
    let fresh = testing::sqlite().await;
    let store = fresh.store.clone();
    let subject = Subject::read("s");
    let contents: Vec<_> = (0..40).map(|number| said(number, "test")).collect();
    let caller = subject_with(&store, &subject, &contents).await;
    let pairs = [("stage".to_owned(), "gone".to_owned())];
    let mut others = Vec::new();
    for _ in 1..fresh.config.connections {
        others.push(store.read().await.unwrap());
    }
    let mut question = std::pin::pin!(store.registry_with_metadata(&caller, &subject, &pairs, false));
    let mut other = std::pin::pin!(store.read());
    let other = tokio::select! {
        biased;
        answer = &mut question => panic!("it kept the last connection to its end: {answer:?}"),
        other = &mut other => other.unwrap(),
    };
    drop((other, others));
    assert_eq!(question.await, Err(Wrong::SchemaNotFound(None)));
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

crate::conformance!(of_a_guid_one_copy_is_read, the_newest_with_what_is_asked_for_is_found_in_whatever_part);
