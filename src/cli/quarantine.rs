//! `changtong quarantine`: records that were set aside because they do not fit.

use clap::{Args, Subcommand};
use serde_json::json;

use super::block_on;
use super::connection::{Connection, language};
use super::failure::Done;
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
    /// Publish it after all, once however often the command is run
    Replay(One),
    /// Give it up
    Discard(One),
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
            Verb::Replay(One { id }) => {
                let receipt = client.post(&format!("/quarantine/{id}/replay"), &json!({})).await?.body;
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
