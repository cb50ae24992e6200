//! `changtong connector`: sources and sinks, run by the server or, with `run`, by this process.

mod run;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::connection::Connection;
use super::failure::{Done, Failure};
use super::files::read_toml;
use super::output::Column;
use super::text;
use crate::client::Client;
use run::Run;

#[derive(Debug, Args)]
pub struct Connector {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the connector what the file says
    Apply {
        /// A connector file
        file: PathBuf,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Run it in this process, beside the agency's system (process = "own" in its file): outbound calls only, until it
    /// is asked to end
    Run(Run),
    /// Connectors of the caller's agency
    List,
    /// Where it stands: state, position, what is left to do, last error
    Status(One),
    /// Let it pause: it ends what it has in hand and keeps its place
    Pause(One),
    /// Let it go on after a pause
    Resume(One),
    /// Stop it until it is started
    Stop(One),
    /// Start it again
    Start(One),
    /// Give up its place: it begins anew (only while it is stopped)
    Reset(One),
    /// Confirm what it waits for: more deletes than max_deletes allows, or an earlier full state
    Confirm(One),
    /// Remove it; what it published or wrote stays
    Remove(One),
}

#[derive(Debug, Args)]
struct One {
    /// Name of the connector
    name: String,
}

const COLUMNS: [Column; 8] = [
    ("NAME", "/name"),
    ("PROCESS", "/process"),
    ("ORDERED", "/desired"),
    ("STATE", "/status/state"),
    ("READS", "/status/details/part"),
    ("WAITS FOR", "/status/details/waits_for/path"),
    ("BYTES LEFT", "/status/details/lag/bytes"),
    ("ERROR", "/status/error"),
];

const FIELDS: [Column; 25] = [
    ("name", "/name"),
    ("process", "/process"),
    ("ordered", "/desired"),
    ("state", "/status/state"),
    ("before that", "/status/before"),
    ("since", "/status/details/since"),
    ("ends since", "/status/details/ends_since"),
    ("reads", "/status/details/part"),
    ("waits for", "/status/details/waits_for/path"),
    ("its folder is", "/status/details/waits_for/folder"),
    ("position", "/status/details/position"),
    ("bytes left", "/status/details/lag/bytes"),
    ("caught up at", "/status/details/lag/caught_up_at"),
    ("offered", "/status/details/counts/offered"),
    ("accepted", "/status/details/counts/accepted"),
    ("set aside", "/status/details/counts/quarantined"),
    ("delivered", "/status/details/counts/delivered"),
    ("gaps", "/status/details/gaps/total"),
    ("last gap at", "/status/details/gaps/last_at"),
    ("files that fail", "/status/details/failing/total"),
    ("last error", "/status/details/last_error/code"),
    ("原因", "/status/details/last_error/zh"),
    ("reason", "/status/details/last_error/en"),
    ("reported at", "/status/reported_at"),
    ("by version", "/status/version"),
];

pub fn run(connector: &Connector) -> Done {
    if let Verb::Run(run) = &connector.verb {
        return run::run(run, &connector.server);
    }
    let output = connector.server.output;
    block_on(async {
        let client = connector.server.client()?;
        match &connector.verb {
            Verb::Apply { file, dry_run } => {
                let spec: Value = read_toml(file)?;
                let name = text(&spec, "/name");
                if name.is_empty() {
                    return Err(Failure::Failed(format!("{}: name is missing", file.display())));
                }
                let found = find(&client, &name).await?;
                let did = match &found {
                    None => "new",
                    Some(found) if found.get("spec") == Some(&spec) => "unchanged",
                    Some(_) => "changed",
                };
                if *dry_run {
                    return output
                        .done(&json!({ "name": name, "would": did }), || format!("{name} would be {did}"));
                }
                let answer = client.post("/connectors", &spec).await?.body;
                let own = text(&answer, "/process") == "own";
                let how = format!("; it runs where `changtong connector run {}` is started", file.display());
                output.done(&answer, || format!("{name} is {did}{}", if own { &how } else { "" }))
            }
            // Begun above, on a runtime of its own.
            Verb::Run(_) => Ok(()),
            Verb::List => output.list(&client.list("/connectors").await?, &COLUMNS),
            Verb::Status(One { name }) => {
                let shown = client.get(&format!("/connectors/{name}")).await?;
                output.object(&shown, &FIELDS)
            }
            Verb::Pause(One { name }) => order(connector, &client, name, "pause").await,
            Verb::Resume(One { name }) => order(connector, &client, name, "resume").await,
            Verb::Stop(One { name }) => order(connector, &client, name, "stop").await,
            Verb::Start(One { name }) => order(connector, &client, name, "start").await,
            Verb::Reset(One { name }) => order(connector, &client, name, "reset").await,
            Verb::Confirm(One { name }) => order(connector, &client, name, "confirm").await,
            Verb::Remove(One { name }) => {
                client.delete(&format!("/connectors/{name}")).await?;
                output.done(&json!({ "name": name, "removed": true }), || format!("{name} is removed"))
            }
        }
    })
}

async fn find(client: &Client, name: &str) -> Done<Option<Value>> {
    let connectors = client.list("/connectors").await?;
    Ok(connectors.into_iter().find(|found| text(found, "/name") == name))
}

async fn order(connector: &Connector, client: &Client, name: &str, order: &str) -> Done {
    let answer = client.post(&format!("/connectors/{name}/{order}"), &json!({})).await?.body;
    connector.server.output.done(&answer, || format!("{name}: {order} is ordered"))
}
