//! `changtong bench`: drives a running server over HTTP and says what came of it. It makes agencies and a resource of
//! its own with the authority's key, so nothing else is touched; they stay, and each run makes new ones.
//!
//! To add a bench: a variant of `What` with its arguments, and a file with `run`, which answers rows of named figures.
//! Repeating, medians, the machine, table and JSON are the frame's (`report.rs`).

mod catch_up;
mod connector;
mod crowd;
mod deliver;
mod keys;
mod live;
mod load;
mod machine;
mod measure;
mod mixed;
mod process;
mod producer;
mod publish;
mod raw;
mod registry;
mod report;
mod setup;
mod versions;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::agency::AUTHORITY;
use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use crate::client::Client;
use deliver::Form;
use load::Format;
use machine::Machine;
use report::{Report, Row};

#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    server: Connection,
    /// How often the bench is run; medians, least and most are said
    #[arg(long, default_value_t = 1, global = true, value_parser = clap::value_parser!(u8).range(1..=100))]
    repeat: u8,
    /// Also append the figures to this file, one JSON document a line
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Publish for some time; counts the records that are visible afterwards
    Publish(Publishing),
    /// Publish records, then read some of their items by a filter, with several subscriptions at once
    Deliver(Delivering),
    /// Measure how long live readers wait for a record, without and with a reader beside them that catches up
    CatchUp(CatchingUp),
    /// Measure publishing and memory with few entries and grants and with very many, which it makes
    Crowd(Crowding),
    /// Measure how long a record takes to who waits for it: one event stream, then many streams and long polls
    Live(Living),
    /// Publish, deliver, acknowledge and look things up at a moderate pace for long, and say how memory goes
    Mixed(Mixing),
    /// Publish a CSV file by a managed connector; the server must run on this machine
    Connector(Connecting),
    /// Compare the rate of a bare Kafka producer with that of publishing the same records through the server
    Producer(Producing),
    /// Compare how long refusing a key takes, by what is wrong with it
    Keys(Refusing),
    /// Ask for a schema by its id over many connections
    Registry(Asking),
    /// Register very many schemas, ask for each once, and say what memory the server then has
    Versions(Registering),
}

/// How records are published and who is measured.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Records of one publish request
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    records: u32,
    /// Process id of the server, if it runs on this machine: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Publishing {
    #[command(flatten)]
    common: Common,
    /// Form of the bodies
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Callers at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Resources that are published to, each of an agency of its own: limits are an agency's
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    resources: u16,
    /// For how long, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

#[derive(Debug, Args)]
struct Delivering {
    #[command(flatten)]
    common: Common,
    /// Form of the answers
    #[arg(long, value_enum, default_value_t = Form::Ndjson)]
    format: Form,
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
struct CatchingUp {
    #[command(flatten)]
    common: Common,
    /// Live readers, each a subscription of its own
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1024))]
    readers: u16,
    /// Records that are published a second, one at a time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    publishes: u32,
    /// The most records a second that the reader reads which catches up; 0: as many as it can
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Records that it catches up with, in thousands; behind them it begins again
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    thousands: u32,
    /// For how long each half is measured, in seconds, in turns of five
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

#[derive(Debug, Args)]
struct Crowding {
    /// Entries that there are in the end
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    resources: u32,
    /// Grants that there are in the end
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    grants: u32,
    /// Readers that wait in the end
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    waiting: u16,
    /// Callers at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// How often publishing is measured, with few and with many
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    turns: u8,
    /// For how long each time, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Living {
    /// Records a second to the one stream
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Records of one publish request to it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    records: u32,
    /// Readers that wait, half of them by event stream
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    readers: u16,
    /// Resources that they wait for
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    resources: u16,
    /// Records a second to these resources together, one a request
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    publishes: u32,
    /// For how long each is measured, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Mixing {
    /// For how long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Publishes a second, of ten records each
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishes: u32,
    /// Readers, each a subscription of its own
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1024))]
    readers: u16,
    /// Looks into the catalog a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    looks: u32,
    /// Process id of the server, whose memory is watched
    #[arg(long)]
    pid: u32,
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

#[derive(Debug, Args)]
struct Producing {
    /// HOST:PORT of the server's brokers, reached without TLS and SASL
    #[arg(long)]
    brokers: String,
    /// What stands before the server's topics (log.prefix)
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Replicas of a topic (kafka.replication_factor)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=16))]
    replicas: i32,
    /// Records of one publish request
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    records: u32,
    /// Callers at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// For how long each of the two, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Refusing {
    /// Calls with each kind of key
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    calls: u32,
}

#[derive(Debug, Args)]
struct Asking {
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Agencies that ask in turn: limits are an agency's
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=100))]
    agencies: u16,
    /// For how long, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct Registering {
    /// Versions that are registered, each of a subject of its own
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=80_000))]
    versions: u32,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Agencies that register and ask in turn: limits are an agency's
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=100))]
    agencies: u16,
    /// Process id of the server: its processor time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

pub fn run(bench: &Bench) -> Done {
    block_on(async {
        let authority = bench.server.client_of(AUTHORITY)?;
        let mut runs = Vec::new();
        for _ in 0..bench.repeat {
            runs.push(once(&authority, &bench.what).await?);
        }
        let report = Report::of(Machine::here(), &runs);
        if let Some(path) = &bench.json {
            report.append(path)?;
        }
        report.print(bench.server.output)
    })
}

async fn once(authority: &Client, what: &What) -> Done<Vec<Row>> {
    match what {
        What::Publish(publishing) => publish::run(authority, publishing).await,
        What::Deliver(delivering) => deliver::run(authority, delivering).await,
        What::CatchUp(catching_up) => catch_up::run(authority, catching_up).await,
        What::Crowd(crowding) => crowd::run(authority, crowding).await,
        What::Live(living) => live::run(authority, living).await,
        What::Mixed(mixing) => mixed::run(authority, mixing).await,
        What::Connector(connecting) => connector::run(authority, connecting).await,
        What::Producer(producing) => producer::run(authority, producing).await,
        What::Keys(refusing) => keys::run(authority, refusing).await,
        What::Registry(asking) => registry::run(authority, asking).await,
        What::Versions(registering) => versions::run(authority, registering).await,
    }
}
