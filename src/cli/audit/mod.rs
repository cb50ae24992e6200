//! `changtong audit`: the events, for auditors.

mod export;

use clap::{Args, Subcommand};

use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use super::files::in_path;
use super::output::Column;

#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Events, oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// The most events that are shown
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Every event that fits, one a line, byte for byte as it was hashed
    Export(export::Export),
}

/// Which events.
#[derive(Debug, Args)]
struct Filter {
    /// Alias or credit code of the actor's agency
    #[arg(long)]
    agency: Option<String>,
    /// Code of the resource
    #[arg(long)]
    resource: Option<String>,
    /// Id of the grant
    #[arg(long)]
    grant: Option<String>,
    /// What happened, such as grant.revoked
    #[arg(long)]
    code: Option<String>,
    /// Not before, RFC 3339
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Not after, RFC 3339
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Filter {
    fn query(&self) -> String {
        let resource = self.resource.as_deref().map(in_path);
        let parts = [
            ("agency", &self.agency),
            ("resource", &resource),
            ("grant", &self.grant),
            ("code", &self.code),
            ("from", &self.from),
            ("to", &self.to),
        ];
        super::query(parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))))
    }
}

const COLUMNS: [Column; 6] = [
    ("AT", "/at"),
    ("EVENT", "/code"),
    ("ACCOUNT", "/actor/account"),
    ("RESOURCE", "/resource"),
    ("GRANT", "/grant"),
    ("ID", "/id"),
];

pub fn run(audit: &Audit) -> Done {
    let output = audit.server.output;
    block_on(async {
        let client = audit.server.client()?;
        match &audit.verb {
            Verb::List { filter, limit } => {
                let path = format!("/audit/events?{}", filter.query());
                output.list(&client.list_most(&path, *limit).await?, &COLUMNS)
            }
            Verb::Export(export) => export::run(export, &client).await,
        }
    })
}
