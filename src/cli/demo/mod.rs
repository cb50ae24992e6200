//! `changtong demo`: the main job on real data, from an empty folder to a revoked grant, with every count checked against
//! the files by other means.

mod cast;
mod count;
mod day_two;
mod entries;
mod feed;
mod run;
mod table;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::block_on;
use crate::app::App;
use crate::client::Client;
use crate::first_start::found_authority;
use crate::profiles::Profiles;
use crate::serve::Server;
use crate::settings::{Flag, Settings, Sources};
use crate::telemetry::start_logging;

/// Files of the demo and whose they are.
const FILES: [(&str, &str); 5] = [
    ("flights.csv", "transport-stats"),
    ("weather.csv", "meteorology"),
    ("planes.csv", "civil-aviation"),
    ("airports.csv", "civil-aviation"),
    ("streets.csv", "division-codes"),
];

#[derive(Debug, Args)]
pub struct Demo {
    /// Folder with flights.csv, weather.csv, planes.csv, airports.csv and streets.csv
    #[arg(long, value_name = "DIR", default_value = "config/examples/data")]
    data: PathBuf,
    /// Folder with the resource, request and connector files
    #[arg(long, value_name = "DIR", default_value = "config/examples")]
    examples: PathBuf,
    /// Settings of the server, to run on other engines than the embedded ones
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything the demo makes in this folder (must not exist yet) instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub fn run(demo: &Demo) -> Result<(), String> {
    let begun = Instant::now();
    let (folder, _temporary) = folder(demo.keep.as_deref())?;
    let files = folder.join("files");
    lay_out(&demo.data, &files)?;
    let settings = settings(demo, &folder, &files)?;
    start_logging(&settings.telemetry)?;
    block_on(async {
        let app = App::open(settings).await.map_err(|error| error.to_string())?;
        let server = Server::start(app).await.map_err(|error| error.to_string())?;
        let profiles = folder.join("profiles.toml");
        found_authority(&server.app, server.api, Some(profiles.clone())).await.map_err(|e| e.to_string())?;
        let authority = authority(&profiles)?;
        let story = run::Story {
            demo_data: &demo.data,
            examples: &demo.examples,
            files: &files,
            begun,
            profiles: &profiles,
        };
        let told = story.tell(&authority).await;
        if told.is_ok() && std::io::stdout().is_terminal() {
            println!("{}", where_next(server.api, &profiles));
            return server.run().await.map_err(|fallen| fallen.to_string()).and(told);
        }
        if let Err(reason) = &told {
            println!("· stopped short: {reason}");
        }
        server.stop().await;
        told
    })
}

/// The demo's folder: a new one, so that "from an empty folder" is true.
fn folder(keep: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), String> {
    let Some(path) = keep else {
        let temporary = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        return Ok((temporary.path().to_path_buf(), Some(temporary)));
    };
    std::fs::create_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path, None))
}

/// Puts each agency's files where its connectors may read.
fn lay_out(data: &Path, files: &Path) -> Result<(), String> {
    for (name, agency) in FILES {
        let folder = folder_of(files, agency);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let from = data.join(name);
        std::fs::copy(&from, folder.join(name)).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    Ok(())
}

/// Where an agency's connectors read and write.
fn folder_of(files: &Path, agency: &str) -> PathBuf {
    files.join(cast::credit_code(agency).unwrap_or(agency))
}

fn settings(demo: &Demo, folder: &Path, files: &Path) -> Result<Settings, String> {
    let flag = |key, value: String| Flag { flag: "demo", key, value };
    let flags = vec![
        flag("data.dir", folder.join("data").display().to_string()),
        flag("connectors.root", files.display().to_string()),
        flag("http.listen", "127.0.0.1:0".to_owned()),
        flag("registry.listen", "127.0.0.1:0".to_owned()),
        flag("operations.listen", "127.0.0.1:0".to_owned()),
        flag("telemetry.filter", "error".to_owned()),
    ];
    let loaded = Sources::of_process(demo.config.clone(), flags, false).load();
    Ok(loaded.map_err(|error| error.to_string())?.settings)
}

fn authority(profiles: &Path) -> Result<Client, String> {
    let profiles = Profiles::open(profiles)?;
    let profile =
        profiles.get("authority").ok_or("the store is not empty: the demo needs an empty database")?;
    Client::new(&profile.url, &profile.key, "zh").map_err(|error| error.to_string())
}

fn where_next(api: std::net::SocketAddr, profiles: &Path) -> String {
    format!(
        "\nThe server stays up until you press Ctrl-C: http://{api}/openapi.json lists its API.\n\
         In another terminal, try next:\n\n  \
           export CHANGTONG_PROFILES={}\n  \
           changtong resource list --as emergency\n  \
           changtong grant list --as transport-stats\n  \
           changtong audit list --as auditor\n",
        profiles.display()
    )
}
