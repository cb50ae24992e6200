//! `changtong quarantine`: records that were set aside because they do not fit.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::json;

use super::block_on;
use super::connection::{Connection, language};
use super::failure::{Done, Failure};
use super::files::in_path;
use super::output::Column;

#[derive(Debug, Args)]
pub struct Quarantine {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Records of a resource that were set aside
    List {
        /// Code of the resource
        resource: String,
        /// waiting, replayed or discarded
        #[arg(long)]
        state: Option<String>,
    },
    /// One record as it came
    Show(One),
    /// Publish it after all, as it came or corrected, once however often the command is run
    Replay(Replay),
    /// Give it up
    Discard(One),
}

#[derive(Debug, Args)]
struct Replay {
    /// Id of the record set aside
    id: String,
    /// The corrected record: .ndjson, .json (an array) or .csv (with a header)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Although the table has a newer record of the key
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct One {
    /// Id of the record set aside
    id: String,
}

const COLUMNS: [Column; 5] =
    [("ID", "/id"), ("AT", "/at"), ("STATE", "/state"), ("CODE", "/code"), ("PATH", "/path")];

const FIELDS: [Column; 9] = [
    ("id", "/id"),
    ("resource", "/resource"),
    ("batch", "/batch"),
    ("state", "/state"),
    ("code", "/code"),
    ("path", "/path"),
    ("原因", "/reason/zh"),
    ("reason", "/reason/en"),
    ("record", "/record"),
];

pub fn run(quarantine: &Quarantine) -> Done {
    let output = quarantine.server.output;
    block_on(async {
        let client = quarantine.server.client()?;
        match &quarantine.verb {
            Verb::List { resource, state } => {
                let parts = [("resource", Some(in_path(resource))), ("state", state.clone())];
                let given = parts.into_iter().filter_map(|(name, value)| Some((name, value?)));
                let set_aside = client.list(&format!("/quarantine?{}", super::query(given))).await?;
                let reason = if language() == "zh" { "/reason/zh" } else { "/reason/en" };
                output.list(&set_aside, &[&COLUMNS[..], &[("REASON", reason)]].concat())
            }
            Verb::Show(One { id }) => {
                output.object(&client.get(&format!("/quarantine/{id}")).await?, &FIELDS)
            }
            Verb::Replay(Replay { id, file, force }) => {
                let path = format!("/quarantine/{id}/replay?overwrite={force}");
                let receipt = match file {
                    Some(file) => client.post_records(&path, media_type(file)?, read(file)?).await?,
                    None => client.post(&path, &json!({})).await?.body,
                };
                output.done(&receipt, || {
                    format!("{id} is published, batch {}", super::text(&receipt, "/batch"))
                })
            }
            Verb::Discard(One { id }) => {
                client.post(&format!("/quarantine/{id}/discard"), &json!({})).await?;
                output.done(&json!({ "id": id, "state": "discarded" }), || format!("{id} is discarded"))
            }
        }
    })
}

fn media_type(file: &Path) -> Done<&'static str> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ndjson" | "jsonl") => Ok("application/x-ndjson"),
        Some("json") => Ok("application/json"),
        Some("csv") => Ok("text/csv"),
        _ => Err(Failure::Usage(format!(
            "{}: the name should end in .ndjson, .json or .csv, which says how the record is written",
            file.display()
        ))),
    }
}

fn read(file: &Path) -> Done<Bytes> {
    let at = |error| Failure::Failed(format!("{}: {error}", file.display()));
    std::fs::read(file).map(Bytes::from).map_err(at)
}
