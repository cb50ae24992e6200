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
    use crate::agency::{Agency, AgencyNames};
    use crate::grant::Grant;
    use crate::ids::{Generation, ResourceCode, ResourceNumber, SchemaId, TopicName};
    use crate::ports::Topic;
    use crate::registry::{Part, Subject};
    use crate::resource::Resource;
    use crate::store::{ResourceChange, testing};
    use crate::testing::{caller, grant, request, resource};

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

    /// What 0005 made, undone.
    const WITHOUT_REGISTRY: &str = "DROP VIEW registry_schema; DROP TABLE registry_reference; \
        DROP TABLE registry_version; DROP TABLE registry_subject; DROP TABLE registry_context; \
        DROP TABLE context_schema; DROP INDEX schema_text_guid; ALTER TABLE schema_text DROP COLUMN beside; \
        ALTER TABLE schema_text DROP COLUMN guid; DELETE FROM migration WHERE name = '0005_registry'";

    /// An entry with this number and generation, as an earlier binary published it.
    async fn published(tx: &mut Tx, number: i64, generation: i32, schemas: [SchemaId; 2]) -> Resource {
        let mut entry = resource();
        (entry.number, entry.generation) = (ResourceNumber(number), Generation(generation));
        entry.code = ResourceCode::new(entry.code.class().clone(), number);
        entry.version = 1;
        let change =
            ResourceChange { action: "publish", by: entry.written_by, at: resource().published_at.unwrap() };
        tx.insert_resource(&entry, change).await.unwrap();
        [entry.schema, entry.key_schema] = schemas.map(Some);
        entry.version = 2;
        tx.update_resource(&entry, change).await.unwrap();
        entry
    }

    async fn topic(tx: &mut Tx, entry: &Resource, generation: i32) {
        let generation = Generation(generation);
        let name = TopicName::records("east-", entry.number, generation);
        let topic = Topic { name, resource: entry.number, generation, partitions: 3, made: true };
        tx.insert_topic(&topic).await.unwrap();
    }

    async fn subject(store: &Store, name: &str) -> Vec<(i32, SchemaId)> {
        let subject = Subject::read(name);
        let versions = store.read().await.unwrap().versions_of(&subject).await.unwrap();
        versions.iter().map(|one| (one.version, one.id)).collect()
    }

    async fn what_was_in_force_before_the_registry_is_in_it(fresh: testing::Fresh) {
        let at = resource().published_at.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        let names = AgencyNames { code: None, name: "机构".to_owned(), alias: None };
        let agency = Agency { id: resource().provider, names, suspended: false, version: 1, created_at: at };
        tx.insert_agency(&agency).await.unwrap();
        let value = tx.register_schema("\"string\"", at).await.unwrap().id;
        let key = tx.register_schema("\"int\"", at).await.unwrap().id;
        published(&mut tx, 1, 1, [value, key]).await;
        let moved = published(&mut tx, 2, 2, [value, key]).await;
        topic(&mut tx, &moved, 1).await;
        topic(&mut tx, &moved, 2).await;
        let done = match tx.conn() {
            Conn::Sqlite(conn) => raw_sql(WITHOUT_REGISTRY).execute(conn).await.map(drop),
            Conn::Postgres(conn) => raw_sql(WITHOUT_REGISTRY).execute(conn).await.map(drop),
        };
        done.unwrap();
        tx.finish().await.unwrap();

        let store = Store::open(&fresh.config).await.unwrap();
        for (name, id) in [
            ("ct.r.1-value", value),
            ("ct.r.1-key", key),
            ("east-ct.r.2-value", value),
            ("east-ct.r.2-key", key),
            ("east-ct.r.2.2-value", value),
            ("east-ct.r.2.2-key", key),
        ] {
            assert_eq!(subject(&store, name).await, [(1, id)], "{name}");
        }
        let mut session = store.read().await.unwrap();
        let in_force = session.versions_of_resource(moved.number, Generation(2), Part::Value).await.unwrap();
        assert_eq!((in_force[0].schema, in_force[0].resource_version, in_force[0].at), (value, 2, at));
        const WITHOUT: &str = "SELECT count(*) FROM schema_text WHERE guid IS NULL";
        let without: (i64,) = on!(session, |conn| query_as(WITHOUT).fetch_one(conn)).unwrap();
        assert_eq!(without.0, 0, "each has its guid");
        drop(session);
        store.name_subjects("east-").await.unwrap();
        store.name_subjects("east-").await.unwrap();
        for (name, versions) in [
            ("ct.r.1-value", vec![]),
            ("ct.r.1-key", vec![]),
            ("east-ct.r.1-value", vec![(1, value)]),
            ("east-ct.r.1-key", vec![(1, key)]),
            ("east-ct.r.2.2-value", vec![(1, value)]),
        ] {
            assert_eq!(subject(&store, name).await, versions, "{name}");
        }
        let mut session = store.read().await.unwrap();
        let number = ResourceNumber(1);
        let in_force = session.versions_of_resource(number, Generation(1), Part::Key).await.unwrap();
        assert_eq!(in_force[0].schema, key);
        drop(session);
        store.close().await;
        fresh.done().await;
    }

    /// What 0010 made, undone.
    const WITHOUT_GRANT_SCHEMAS: &str =
        "DROP TABLE grant_schema; DELETE FROM migration WHERE name = '0010_grant_schemas'";

    async fn what_grants_held_before_it_was_noted_is_noted(fresh: testing::Fresh) {
        let at = resource().published_at.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        for agency in [resource().provider, grant().consumer] {
            let names = AgencyNames { code: None, name: format!("{agency}"), alias: None };
            let agency = Agency { id: agency, names, suspended: false, version: 1, created_at: at };
            tx.insert_agency(&agency).await.unwrap();
        }
        let mut ids = Vec::new();
        for text in ["\"string\"", "\"int\"", "\"long\""] {
            ids.push(tx.register_schema(text, at).await.unwrap().id);
        }
        published(&mut tx, 12, 1, [ids[0], ids[1]]).await;
        let asked = request();
        tx.insert_request(&asked, at).await.unwrap();
        let held = Grant { schema: ids[2], ..grant() };
        tx.insert_grant(&held).await.unwrap();
        let done = match tx.conn() {
            Conn::Sqlite(conn) => raw_sql(WITHOUT_GRANT_SCHEMAS).execute(conn).await.map(drop),
            Conn::Postgres(conn) => raw_sql(WITHOUT_GRANT_SCHEMAS).execute(conn).await.map(drop),
        };
        done.unwrap();
        tx.finish().await.unwrap();

        let store = Store::open(&fresh.config).await.unwrap();
        let known = store.registry_schema(&caller(2, 2, &[]), held.schema.0, None).await.unwrap();
        assert_eq!(known.content.text, "\"long\"");
        store.close().await;
        fresh.done().await;
    }

    #[tokio::test]
    async fn what_grants_held_before_it_was_noted_is_noted_in_sqlite() {
        what_grants_held_before_it_was_noted_is_noted(testing::sqlite().await).await;
    }

    #[tokio::test]
    async fn what_grants_held_before_it_was_noted_is_noted_in_postgres() {
        if let Some(fresh) = testing::postgres().await {
            what_grants_held_before_it_was_noted_is_noted(fresh).await;
        }
    }

    #[tokio::test]
    async fn what_was_in_force_before_the_registry_is_in_it_in_sqlite() {
        what_was_in_force_before_the_registry_is_in_it(testing::sqlite().await).await;
    }

    #[tokio::test]
    async fn what_was_in_force_before_the_registry_is_in_it_in_postgres() {
        if let Some(fresh) = testing::postgres().await {
            what_was_in_force_before_the_registry_is_in_it(fresh).await;
        }
    }
}
