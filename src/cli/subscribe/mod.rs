//! `changtong subscribe`: asks if needed, waits for the grant, reads, acknowledges; prints record lines.

mod follow;
mod grant;
mod read;

use std::path::PathBuf;

use clap::Args;

use super::block_on;
use super::connection::Connection;
use super::failure::Done;

#[derive(Debug, Args)]
pub struct Subscribe {
    #[command(flatten)]
    server: Connection,
    /// Code of the resource; without a request file an unconditional one is asked for whole
    #[arg(required_unless_present = "request")]
    resource: Option<String>,
    /// Ask with this request file, if there is no grant yet
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Name of the subscription, a position of its own
    #[arg(long, default_value = "default")]
    name: String,
    /// Where to begin: start, end, a time or a cursor; `start` for a new subscription, else where it stands
    #[arg(long)]
    from: Option<String>,
    /// The purpose that is read for, where the grant has several
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// No delete lines: for a reader that keeps no copy
    #[arg(long)]
    no_deletes: bool,
    /// Go on when everything there is has been read
    #[arg(long)]
    follow: bool,
    /// Read by event stream, and go on as with --follow
    #[arg(long)]
    stream: bool,
    /// Append lines to this file instead of printing them
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(subscribe: &Subscribe) -> Done {
    block_on(async {
        let client = subscribe.server.client()?;
        let grant = grant::obtain(subscribe, &client).await?;
        read::run(subscribe, &client, &grant).await
    })
}
