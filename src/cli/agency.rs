//! `changtong agency`: who takes part.

use changtong_catalog::clock::Time;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::connection::{Connection, USUAL, profiles};
use super::failure::Done;
use super::output::Column;
use crate::profiles::Profile;

#[derive(Debug, Args)]
pub struct Agency {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add an agency, its first account, that account's key and a profile of the alias's name
    Add(Add),
    /// List the agencies that take part
    List,
    /// Refuse all of the agency's calls; what it is reading ends at once
    Suspend {
        /// Alias or unified social credit code
        agency: String,
        /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
        #[arg(long)]
        cause: Option<String>,
    },
    /// End the suspension of the agency
    Resume {
        /// Alias or unified social credit code
        agency: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Short name of the agency: ASCII, unique
    alias: String,
    /// Full name
    #[arg(long)]
    name: String,
    /// Unified social credit code (统一社会信用代码)
    #[arg(long)]
    code: String,
    /// Name of the first account
    #[arg(long, default_value = "first")]
    account: String,
    /// When the key ends, RFC 3339; a year from now if not said
    #[arg(long, value_name = "TIME")]
    key_expires_at: Option<Time>,
    /// Write no profile, print the key
    #[arg(long)]
    no_profile: bool,
}

/// Whose profile commands of the authority look for.
pub const AUTHORITY: &[&str] = &["authority", USUAL];

const COLUMNS: [Column; 5] = [
    ("ALIAS", "/alias"),
    ("CODE", "/code"),
    ("NAME", "/name"),
    ("SUSPENDED", "/suspended"),
    ("SINCE", "/created_at"),
];

pub fn run(agency: &Agency) -> Done {
    let output = agency.server.output;
    block_on(async {
        let client = agency.server.client_of(AUTHORITY)?;
        match &agency.verb {
            Verb::Add(add) => {
                let body = json!({
                    "alias": add.alias, "name": add.name, "code": add.code, "account": add.account,
                    "key_expires_at": add.key_expires_at,
                });
                let joined = client.post("/agencies", &body).await?.body;
                let key = joined.pointer("/key/text").and_then(Value::as_str).unwrap_or_default();
                if add.no_profile {
                    return output.done(&joined, || {
                        format!("{} has joined; its key, shown this once:\n{key}", add.alias)
                    });
                }
                let mut profiles = profiles()?;
                profiles.set(&add.alias, Profile::of(&client, key));
                profiles.save()?;
                output.done(&joined, || {
                    format!(
                        "{} has joined; its account {} is the profile {}",
                        add.name, add.account, add.alias
                    )
                })
            }
            Verb::List => output.list(&client.list("/agencies").await?, &COLUMNS),
            Verb::Suspend { agency, cause } => {
                let body = cause.as_ref().map_or_else(|| json!({}), |cause| json!({ "cause": cause }));
                let ended = client.post(&format!("/agencies/{agency}/suspend"), &body).await?.body;
                output.done(&ended, || format!("{agency} is suspended; {}", super::ended(&ended)))
            }
            Verb::Resume { agency } => {
                let resumed = client.post(&format!("/agencies/{agency}/resume"), &json!({})).await?.body;
                output.done(&resumed, || format!("{agency} goes on"))
            }
        }
    })
}
