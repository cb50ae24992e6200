//! `changtong account`: accounts of an agency and their roles.

use clap::{Args, Subcommand};
use serde_json::json;

use super::agency::AUTHORITY;
use super::block_on;
use super::connection::Connection;
use super::failure::Done;

#[derive(Debug, Args)]
pub struct Account {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a further account to an agency; `key issue` gives it a key
    Add {
        /// Alias or unified social credit code
        agency: String,
        /// Name of the account, such as the system or the desk it is for
        name: String,
        /// editor, reviewer, integrator, authority, operator or auditor; several by commas
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
    },
    /// Accounts of an agency
    List {
        /// Alias or unified social credit code
        agency: String,
    },
    /// Suspend an account: its keys are refused, what is being read with them ends at once
    Disable {
        /// Id of the account
        account: String,
        /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
        #[arg(long)]
        cause: Option<String>,
    },
}

pub fn run(account: &Account) -> Done {
    let output = account.server.output;
    block_on(async {
        let client = account.server.client_of(AUTHORITY)?;
        match &account.verb {
            Verb::Add { agency, name, roles } => {
                let body = json!({ "name": name, "roles": roles });
                let added = client.post(&format!("/agencies/{agency}/accounts"), &body).await?.body;
                output.done(&added, || format!("account {} of {agency}", super::text(&added, "/id")))
            }
            Verb::List { agency } => {
                let accounts = client.list(&format!("/agencies/{agency}/accounts")).await?;
                let columns =
                    [("ID", "/id"), ("NAME", "/name"), ("ROLES", "/roles"), ("SUSPENDED", "/suspended")];
                output.list(&accounts, &columns)
            }
            Verb::Disable { account, cause } => {
                let body = cause.as_ref().map_or_else(|| json!({}), |cause| json!({ "cause": cause }));
                let ended = client.post(&format!("/accounts/{account}/suspend"), &body).await?.body;
                output.done(&ended, || format!("account {account} is disabled; {}", super::ended(&ended)))
            }
        }
    })
}
