//! `changtong subscribe`: asks if needed, waits for the grant, reads, acknowledges; prints record lines, or keeps files.

mod files;
mod folders;
mod follow;
mod grant;
mod read;

use std::path::PathBuf;

use clap::Args;

use super::block_on;
use super::connection::Connection;
use super::failure::{Done, Failure};

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
    /// As lines of JSON, or as Avro: each answer becomes a container file in the folder that --out names
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Append lines to this file instead of printing them; of Avro, the folder of the files
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Ndjson,
    Avro,
}

pub fn run(subscribe: &Subscribe) -> Done {
    if subscribe.format == Format::Avro && (subscribe.out.is_none() || subscribe.stream) {
        return Err(Failure::Usage(
            "--format avro needs --out FOLDER for its files, and knows no --stream: an event is a line"
                .into(),
        ));
    }
    block_on(async {
        let client = subscribe.server.client()?;
        let grant = grant::obtain(subscribe, &client).await?;
        read::run(subscribe, &client, &grant).await
    })
}
