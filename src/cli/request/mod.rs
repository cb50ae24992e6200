//! `changtong request`: asking for data, and answering.

mod agree;
mod apply;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use super::output::Column;
use crate::client::Client;

pub(super) use apply::put as put_file;

#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a request what the file says: a new one, or the one that is not submitted yet
    Apply(apply::Apply),
    /// Requests of the caller's agency, on either side
    List,
    /// One request
    Show(One),
    /// Hand it to the provider: the consent of the consumer's data-office head (role reviewer)
    Submit(One),
    /// Agree as the provider (role reviewer); first shows what the consumer will see
    Agree(agree::Agree),
    /// Refuse as the provider (role reviewer)
    Refuse {
        /// Id of the request
        id: String,
        /// Why: law_forbids, not_held, not_shareable or other
        #[arg(long)]
        reason: String,
        /// For the other side to read
        #[arg(long)]
        text: Option<String>,
    },
    /// Ask the consumer for more, as the provider (role reviewer)
    NeedMaterial {
        /// Id of the request
        id: String,
        /// What is missing
        #[arg(long)]
        text: String,
    },
    /// Take a request back, as the consumer
    Withdraw(One),
}

#[derive(Debug, Args)]
struct One {
    /// Id of the request
    id: String,
}

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("RESOURCE", "/resource_code"),
    ("CONSUMER", "/consumer"),
    ("STATE", "/state"),
    ("SUBMITTED", "/submitted_at"),
    ("GRANT", "/grant"),
];

const FIELDS: [Column; 14] = [
    ("id", "/id"),
    ("resource", "/resource_code"),
    ("consumer", "/consumer"),
    ("state", "/state"),
    ("purposes", "/purposes"),
    ("basis", "/basis"),
    ("consented by", "/consented_by/office"),
    ("document", "/consented_by/document"),
    ("items", "/items"),
    ("filter", "/filter"),
    ("history", "/history"),
    ("valid until", "/valid_until"),
    ("answer", "/answer"),
    ("grant", "/grant"),
];

pub fn run(request: &Request) -> Done {
    let output = request.server.output;
    block_on(async {
        let client = request.server.client()?;
        match &request.verb {
            Verb::Apply(apply) => apply::run(apply, &client, output).await,
            Verb::List => output.list(&client.list("/requests").await?, &COLUMNS),
            Verb::Show(One { id }) => output.object(&client.get(&format!("/requests/{id}")).await?, &FIELDS),
            Verb::Submit(One { id }) => step(request, &client, id, "submit", json!({})).await,
            Verb::Agree(agree) => agree::run(agree, &client, output).await,
            Verb::Refuse { id, reason, text } => {
                step(request, &client, id, "refuse", json!({ "reason": reason, "text": text })).await
            }
            Verb::NeedMaterial { id, text } => {
                step(request, &client, id, "need-material", json!({ "text": text })).await
            }
            Verb::Withdraw(One { id }) => step(request, &client, id, "withdraw", json!({})).await,
        }
    })
}

async fn step(request: &Request, client: &Client, id: &str, step: &str, body: Value) -> Done {
    let answer = client.post(&format!("/requests/{id}/{step}"), &body).await?.body;
    request.server.output.done(&answer, || told(&answer))
}

/// Where a request stands, in a line.
fn told(request: &Value) -> String {
    let grant = request.get("grant").and_then(Value::as_str);
    let grant = grant.map(|grant| format!("; grant {grant}")).unwrap_or_default();
    format!("request {} is {}{grant}", super::text(request, "/id"), super::text(request, "/state"))
}
