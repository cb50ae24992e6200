//! The commands. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable.

mod migrate;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Flag, Loaded, SettingsError, Sources};

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
    /// Run a server: with no configuration a durable single node in one folder
    Serve(serve::Serve),
    /// Bring the tables of the database up to date and end
    Migrate(Configured),
}

/// Where the server's settings are.
#[derive(Debug, Clone, Args)]
pub struct Configured {
    /// The settings file (config/default.toml names every key)
    #[arg(long, value_name = "FILE", env = "CHANGTONG_CONFIG")]
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
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(command) => serve::run(&command),
        Command::Migrate(configured) => migrate::run(&configured),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("changtong: {reason}");
            ExitCode::from(1)
        }
    }
}

/// Runs a command's work on a runtime of its own.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("the runtime could not be started: {error}"))?.block_on(work)
}
