//! `changtong key`: API keys of an account. The text of a key is shown once.

use changtong_catalog::clock::Time;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::agency::AUTHORITY;
use super::block_on;
use super::connection::{Connection, profiles};
use super::failure::Done;
use crate::profiles::Profile;

#[derive(Debug, Args)]
pub struct Key {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Issue a further key of an account; its text is printed this once
    Issue {
        /// Id of the account
        account: String,
        /// Roles of the account that the key may use; several by commas
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
        /// When it ends, RFC 3339; a year from now if not said
        #[arg(long, value_name = "TIME")]
        expires_at: Option<Time>,
        /// Write it as this profile instead of printing it
        #[arg(long = "profile", value_name = "NAME")]
        into: Option<String>,
    },
    /// Keys of an account, without their secrets
    List {
        /// Id of the account
        account: String,
    },
    /// End a key for good; what is being read with it ends at once
    Revoke {
        /// Id of the key, the part between the first two underscores of its text
        id: String,
        /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
        #[arg(long)]
        cause: Option<String>,
    },
}

pub fn run(key: &Key) -> Done {
    let output = key.server.output;
    block_on(async {
        let client = key.server.client_of(AUTHORITY)?;
        match &key.verb {
            Verb::Issue { account, roles, expires_at, into } => {
                let body = json!({ "roles": roles, "expires_at": expires_at });
                let issued = client.post(&format!("/accounts/{account}/keys"), &body).await?.body;
                let text = issued.get("text").and_then(Value::as_str).unwrap_or_default();
                let Some(name) = into else {
                    return output.done(&issued, || {
                        format!("key {}, shown this once:\n{text}", super::text(&issued, "/id"))
                    });
                };
                let mut profiles = profiles()?;
                profiles.set(name, Profile::of(&client, text));
                profiles.save()?;
                output.done(&issued, || format!("key {} is the profile {name}", super::text(&issued, "/id")))
            }
            Verb::List { account } => {
                let keys = client.list(&format!("/accounts/{account}/keys")).await?;
                let columns = [
                    ("ID", "/id"),
                    ("ROLES", "/scopes"),
                    ("CREATED", "/created_at"),
                    ("EXPIRES", "/expires_at"),
                    ("LAST USED", "/last_used_at"),
                    ("REVOKED", "/revoked_at"),
                ];
                output.list(&keys, &columns)
            }
            Verb::Revoke { id, cause } => {
                let body = cause.as_ref().map_or_else(|| json!({}), |cause| json!({ "cause": cause }));
                let ended = client.post(&format!("/keys/{id}/revoke"), &body).await?.body;
                output.done(&ended, || format!("key {id} no longer stands; {}", super::ended(&ended)))
            }
        }
    })
}
