//! The commands. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable, 4 what was asked about would
//! break something.

mod account;
mod agency;
mod audit;
mod avro;
mod bench;
mod completions;
mod connection;
mod connector;
mod demo;
mod doctor;
mod encoding;
mod failure;
mod files;
mod grant;
mod groups;
mod key;
mod login;
mod migrate;
mod output;
mod publish;
mod quarantine;
mod reconcile;
mod request;
mod resource;
mod schema;
mod serve;
mod subscribe;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches as _, Parser, Subcommand};
use serde_json::Value;

use crate::core_dump;
use crate::settings::{Flag, Loaded, SettingsError, Sources};
use failure::Done;

#[derive(Debug, Parser)]
#[command(
    name = "changtong",
    version,
    about = "Changtong 畅通: the bus over which government agencies share data"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job on real data, every count checked against the files
    Demo(demo::Demo),
    /// Look at settings, folders, engines and clock, and say what to mend
    Doctor(doctor::Doctor),
    /// Try a key and keep it as a profile (`default`, or what --as says)
    Login(login::Login),
    /// Write a script that completes commands and flags
    Completions(completions::Completions),
    /// Run a server: with no configuration a durable single node in one folder
    Serve(serve::Serve),
    /// Bring the tables of the database up to date and end
    Migrate(Configured),
    /// Compare what the store keeps with the events that should say so
    Reconcile(reconcile::Reconcile),
    /// Load a running server and say how fast it is
    Bench(bench::Bench),
    /// Agencies that take part
    Agency(agency::Agency),
    /// Accounts of an agency and their roles
    Account(account::Account),
    /// API keys of an account
    Key(key::Key),
    /// Entries of the catalog, from a draft guessed from data to their end
    Resource(resource::Resource),
    /// Ask what a change of schema breaks before it is made
    Schema(schema::Schema),
    /// Publish a file of records
    Publish(publish::Publish),
    /// Look into Avro container files of any schema, and make them; no server is asked
    Avro(avro::Avro),
    /// Ask for data, and answer who asks
    Request(request::Request),
    /// Grants that came of requests: look at them, suspend and end them
    Grant(grant::Grant),
    /// Read a resource: asks if needed, waits for the grant, reads, acknowledges
    Subscribe(subscribe::Subscribe),
    /// Sources and sinks that the server runs
    Connector(connector::Connector),
    /// Records that were set aside because they do not fit
    Quarantine(quarantine::Quarantine),
    /// The events, for auditors
    Audit(audit::Audit),
}

/// Where the server's settings are.
#[derive(Debug, Clone, Args)]
pub struct Configured {
    /// The settings file (config/default.toml names every key)
    #[arg(long, value_name = "FILE", env = "CHANGTONG_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The data folder, instead of data.dir
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Configured {
    pub fn load(&self, dev: bool) -> Result<Loaded, SettingsError> {
        let data = self.data.as_ref().map(|dir| Flag {
            flag: "--data",
            key: "data.dir",
            value: dir.display().to_string(),
        });
        Sources::of_process(self.config.clone(), data.into_iter().collect(), dev).load()
    }
}

/// Reads the command line and runs its command.
#[must_use]
pub fn main() -> ExitCode {
    end_with_the_reader();
    let matches = groups::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where nobody can be told, the code says it.
            let _ = writeln!(std::io::stderr(), "changtong: {failure}");
            failure.code()
        }
    }
}

/// `changtong resource list | head -1`: whoever read what is printed has what it wanted, which is no failure. `print!`
/// has no other way to say so than to panic.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

fn run(command: &Command) -> Done {
    core_dump::keep_none()?;
    match command {
        Command::Demo(command) => Ok(demo::run(command)?),
        Command::Doctor(command) => doctor::run(command),
        Command::Login(command) => login::run(command),
        Command::Completions(command) => completions::run(command),
        Command::Serve(command) => serve::run(command),
        Command::Migrate(configured) => migrate::run(configured),
        Command::Reconcile(command) => reconcile::run(command),
        Command::Bench(command) => bench::run(command),
        Command::Agency(command) => agency::run(command),
        Command::Account(command) => account::run(command),
        Command::Key(command) => key::run(command),
        Command::Resource(command) => resource::run(command),
        Command::Schema(command) => schema::run(command),
        Command::Publish(command) => publish::run(command),
        Command::Avro(command) => avro::run(command),
        Command::Request(command) => request::run(command),
        Command::Grant(command) => grant::run(command),
        Command::Subscribe(command) => subscribe::run(command),
        Command::Connector(command) => connector::run(command),
        Command::Quarantine(command) => quarantine::run(command),
        Command::Audit(command) => audit::run(command),
    }
}

/// Runs a command's work on a runtime of its own.
fn block_on<T, E: From<String>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| E::from(format!("the runtime could not be started: {error}")))?;
    let done = runtime.block_on(work);
    // A thread that waits for an engine that is gone keeps no command from its end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    changtong_connectors::log::kafka::wait_for_ends(std::time::Duration::from_secs(3));
    done
}

/// The text at a JSON pointer; empty where there is none.
fn text(value: &Value, at: &str) -> String {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A query of parts, each escaped.
fn query<'a, V: AsRef<str>>(parts: impl IntoIterator<Item = (&'a str, V)>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let parts = parts
        .into_iter()
        .map(|(name, value)| format!("{name}={}", value.as_ref().bytes().map(escape).collect::<String>()));
    parts.collect::<Vec<_>>().join("&")
}

/// How many subscriptions an end concerned.
fn ended(answer: &Value) -> String {
    match answer.get("last_left").and_then(Value::as_object).map_or(0, serde_json::Map::len) {
        0 => "no subscription was being read".to_owned(),
        1 => "one subscription ended".to_owned(),
        count => format!("{count} subscriptions ended"),
    }
}
