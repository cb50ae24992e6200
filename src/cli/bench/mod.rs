//! `changtong bench`: drives a running server over HTTP and says what came of it. It makes agencies and a resource of
//! its own with the authority's key, so nothing else is touched; they stay, and each run makes new ones.

mod connector;
mod deliver;
mod load;
mod measure;
mod process;
mod publish;
mod setup;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::agency::AUTHORITY;
use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use load::Format;

#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Publish for some time; counts the records that are visible afterwards
    Publish(Publishing),
    /// Publish records, then read them with several subscriptions at once
    Deliver(Delivering),
    /// Publish a CSV file by a managed connector; the server must run on this machine
    Connector(Connecting),
}

/// How records are made and who is measured.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Records of one publish request
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    records: u32,
    /// Form of the bodies
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Process id of the server, if it runs on this machine: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Publishing {
    #[command(flatten)]
    common: Common,
    /// Callers at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// For how long, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

#[derive(Debug, Args)]
struct Delivering {
    #[command(flatten)]
    common: Common,
    /// Subscriptions that read at once, each everything
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Records that are published first, in thousands
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    thousands: u32,
    /// The most lines of one read
    #[arg(long, default_value_t = 10_000)]
    limit: u64,
}

#[derive(Debug, Args)]
struct Connecting {
    /// The server's folder of connectors' files (connectors.root)
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Records of the file, in thousands
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    thousands: u32,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

pub fn run(bench: &Bench) -> Done {
    block_on(async {
        let authority = bench.server.client_of(AUTHORITY)?;
        let measured = match &bench.what {
            What::Publish(publishing) => {
                publish::run(&authority, publishing, Duration::from_secs(publishing.seconds)).await?
            }
            What::Connector(connecting) => connector::run(&authority, connecting).await?,
            What::Deliver(delivering) => deliver::run(&authority, delivering).await?,
        };
        measured.print(bench.server.output)
    })
}
