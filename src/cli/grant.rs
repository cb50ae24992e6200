//! `changtong grant`: what came of requests, on both sides.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use super::files::in_path;
use super::output::{Column, Output, table};

#[derive(Debug, Args)]
pub struct Grant {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Grants that the caller's agency holds or gave
    List {
        /// Only those on this resource
        #[arg(long, value_name = "CODE")]
        resource: Option<String>,
    },
    /// One grant, and what is left of its limits
    Show {
        /// Id of the grant
        id: String,
        /// The derived schema that its records have, instead
        #[arg(long)]
        schema: bool,
    },
    /// Let delivery pause; what is being read ends at once
    Suspend {
        /// Id of the grant
        id: String,
        /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
        #[arg(long)]
        cause: String,
    },
    /// End the suspension: delivery goes on
    Resume {
        /// Id of the grant
        id: String,
    },
    /// End the grant for good: when the command returns, no further record leaves
    Revoke(Ending),
}

#[derive(Debug, Args)]
struct Ending {
    /// Id of the grant
    id: String,
    /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
    #[arg(long)]
    cause: String,
    /// Reference of the filing, where the service ends
    #[arg(long)]
    filing: Option<String>,
}

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("NUMBER", "/number"),
    ("RESOURCE", "/resource"),
    ("STATE", "/state"),
    ("ITEMS", "/items"),
    ("VALID UNTIL", "/valid_until"),
];

const FIELDS: [Column; 14] = [
    ("id", "/id"),
    ("number", "/number"),
    ("resource", "/resource"),
    ("state", "/state"),
    ("purposes", "/purposes"),
    ("items", "/items"),
    ("masks", "/masks"),
    ("provider's filter", "/provider_filter"),
    ("consumer's filter", "/consumer_filter"),
    ("history", "/history"),
    ("delete lines", "/delete_lines"),
    ("since", "/created_at"),
    ("valid until", "/valid_until"),
    ("cause", "/cause"),
];

pub fn run(grant: &Grant) -> Done {
    let output = grant.server.output;
    block_on(async {
        let client = grant.server.client()?;
        match &grant.verb {
            Verb::List { resource } => {
                let query = super::query(resource.as_deref().map(|code| ("resource", in_path(code))));
                output.list(&client.list(&format!("/grants?{query}")).await?, &COLUMNS)
            }
            Verb::Show { id, schema: true } => {
                Output::Json.object(&client.get(&format!("/grants/{id}/schema")).await?, &[])
            }
            Verb::Show { id, schema: false } => {
                let shown = client.get(&format!("/grants/{id}")).await?;
                output.object(&shown, &FIELDS)?;
                let left = shown.get("left").and_then(Value::as_array).filter(|_| output == Output::Table);
                if let Some(left) = left.filter(|left| !left.is_empty()) {
                    let columns = [
                        ("LEVEL", "/level"),
                        ("LIMIT", "/limit"),
                        ("VALUE", "/value"),
                        ("USED", "/used"),
                        ("LEFT", "/left"),
                    ];
                    println!();
                    print!("{}", table(left, &columns));
                }
                Ok(())
            }
            Verb::Suspend { id, cause } => {
                let ended =
                    client.post(&format!("/grants/{id}/suspend"), &json!({ "cause": cause })).await?.body;
                output.done(&ended, || format!("grant {id} is suspended; {}", super::ended(&ended)))
            }
            Verb::Resume { id } => {
                let resumed = client.post(&format!("/grants/{id}/resume"), &json!({})).await?.body;
                output.done(&resumed, || format!("grant {id} goes on"))
            }
            Verb::Revoke(Ending { id, cause, filing }) => {
                let body = json!({ "cause": cause, "filing": filing });
                let ended = client.post(&format!("/grants/{id}/revoke"), &body).await?.body;
                output.done(&ended, || format!("grant {id} is revoked; {}", super::ended(&ended)))
            }
        }
    })
}
