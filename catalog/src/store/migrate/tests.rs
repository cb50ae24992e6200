//! What the migrations refuse, and that both folders hold the same ones.

use super::*;

#[test]
fn only_an_older_binary_is_refused() {
    assert!(check_binary("0.1.0", "0.1.0").is_ok());
    assert!(check_binary("0.9.0", "0.10.0").is_ok());
    assert_eq!(check_binary("0.10.0", "0.9.3").map_err(|refusal| refusal.code), Err(Code::InvalidState));
}

#[test]
fn names_are_numbered_in_order() {
    for (place, migration) in MIGRATIONS.iter().enumerate() {
        assert!(migration.name.starts_with(&format!("{:04}_", place + 1)), "{}", migration.name);
    }
}

#[cfg(feature = "testing")]
mod on_stores {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn both_folders_make_the_same_tables() {
        let Some(postgres) = testing::postgres().await else { return };
        let sqlite = testing::sqlite().await;
        let of_sqlite = testing::columns(&sqlite.store).await.unwrap();
        let of_postgres = testing::columns(&postgres.store).await.unwrap();
        assert!(of_sqlite.len() > 100);
        for column in &of_sqlite {
            assert!(of_postgres.contains(column), "PostgreSQL lacks {column:?}");
        }
        for column in &of_postgres {
            assert!(of_sqlite.contains(column), "SQLite lacks {column:?}");
        }
        postgres.done().await;
        sqlite.done().await;
    }

    /// What `open` says of a database after `statement` was run on it.
    async fn opened_after(statement: &'static str) -> Refusal {
        let fresh = testing::sqlite().await;
        let mut tx = fresh.store.begin().await.unwrap();
        one(rows!(tx, |conn| query(statement).execute(conn)).unwrap()).unwrap();
        tx.finish().await.unwrap();
        let refused = Store::open(&fresh.config).await.unwrap_err();
        fresh.done().await;
        refused
    }

    #[tokio::test]
    async fn a_changed_file_is_refused_by_name() {
        let refused = opened_after("UPDATE migration SET checksum = 'x' WHERE name = '0001_catalog'").await;
        assert_eq!(refused.code, Code::InvalidState);
        assert!(refused.text.en.contains("0001_catalog"), "{refused}");
    }

    #[tokio::test]
    async fn a_newer_database_is_refused_with_the_version_it_needs() {
        let refused = opened_after(
            "INSERT INTO migration (name, checksum, min_binary, applied_at) VALUES ('9999_x', 'x', '99.0.0', 'x')",
        )
        .await;
        assert_eq!(refused.code, Code::InvalidState);
        assert!(refused.text.en.contains("99.0.0"), "{refused}");
    }

    #[tokio::test]
    async fn a_newer_database_that_old_binaries_can_use_opens() {
        let fresh = testing::sqlite().await;
        let mut tx = fresh.store.begin().await.unwrap();
        let newer = "INSERT INTO migration (name, checksum, min_binary, applied_at) \
            VALUES ('9999_x', 'x', '0.0.1', 'x')";
        one(rows!(tx, |conn| query(newer).execute(conn)).unwrap()).unwrap();
        tx.finish().await.unwrap();
        Store::open(&fresh.config).await.unwrap().close().await;
        fresh.done().await;
    }
}
