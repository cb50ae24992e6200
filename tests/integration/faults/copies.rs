//! The copies that two sinks of a server keep of a table of ids: a table in SQLite, and a file of lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use super::deployment::{Deployment, Process, READER, Reader};
use crate::support::Client;

/// Longer than it takes a sink to come back.
const FOR_EVER: Duration = Duration::from_secs(120);

/// The ids that a copy holds, each with how often.
type Held = BTreeMap<u64, usize>;

pub struct Copies {
    folder: PathBuf,
    key: String,
}

impl Copies {
    pub async fn begin(deployment: &Deployment, server: &Process, reader: &Reader) -> Self {
        let consumer = reader.client(server);
        for sink in [
            json!({ "name": "rows", "grant": reader.grant, "sink": { "sql": { "url": "sqlite:copy.db", "table": "copy" } } }),
            json!({ "name": "lines", "grant": reader.grant, "sink": { "file": { "path": "copy.ndjson", "format": "ndjson" } } }),
        ] {
            consumer.post("/api/v1/connectors", sink).await.expect(201);
        }
        let folder = deployment.folder().join("node/files").join(READER);
        Self { folder, key: reader.key.clone() }
    }

    /// Ends the pauses that its sinks make where they were refused.
    pub async fn go_on(&self, server: &Process) {
        let consumer = Client::new(server.url.clone(), Some(self.key.clone()));
        for name in ["rows", "lines"] {
            consumer.post(&format!("/api/v1/connectors/{name}/start"), json!({})).await.expect(200);
        }
    }

    /// Waits until both hold exactly that.
    pub async fn come_to(&self, server: &Process, wanted: &Held) {
        let coming = async {
            while self.held().await.iter().any(|held| held != wanted) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(FOR_EVER, coming).await.is_err() {
            let consumer = Client::new(server.url.clone(), Some(self.key.clone()));
            let [rows, lines] = self.held().await.map(|held| held.len());
            let told = consumer.get("/api/v1/connectors").await.text;
            panic!("rows hold {rows}, lines {lines} of {}: {told}; {}", wanted.len(), server.said());
        }
    }

    /// What rows and lines hold now.
    pub async fn held(&self) -> [Held; 2] {
        let rows =
            self.rows().await.unwrap_or_default().into_iter().filter_map(|(id,)| u64::try_from(id).ok());
        let lines = std::fs::read_to_string(self.folder.join("copy.ndjson")).unwrap_or_default();
        // One that is being written has no end yet.
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        [counted(rows), counted(lines.map(|line| line["record"]["id"].as_u64().expect("an id")))]
    }

    async fn rows(&self) -> sqlx::Result<Vec<(i64,)>> {
        let url = format!("sqlite:{}", self.folder.join("copy.db").display());
        let mut connection = SqliteConnection::connect(&url).await?;
        let rows = sqlx::query_as("SELECT id FROM copy").fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(rows)
    }
}

fn counted(ids: impl Iterator<Item = u64>) -> Held {
    let mut held = Held::new();
    for id in ids {
        *held.entry(id).or_default() += 1;
    }
    held
}
