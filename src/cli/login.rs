//! `changtong login`: a key is tried and kept as a profile.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;

use super::block_on;
use super::connection::{Connection, USUAL, client, profiles};
use super::failure::{Done, Failure};
use crate::profiles::Profile;
use crate::settings::environment_variable;

#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    server: Connection,
}

pub fn run(login: &Login) -> Done {
    let server = &login.server;
    let variable = |flag: &Option<String>, name| flag.clone().or_else(|| environment_variable(name));
    let url = variable(&server.url, "CHANGTONG_URL").unwrap_or_else(|| "http://127.0.0.1:7070".to_owned());
    let key = match variable(&server.key, "CHANGTONG_KEY") {
        Some(key) => key,
        None => read_key()?,
    };
    // The profile is used from any folder.
    let ca = server.ca.clone().or_else(|| environment_variable("CHANGTONG_CA").map(PathBuf::from));
    let ca = ca.map(|ca| std::path::absolute(&ca)).transpose();
    let ca = ca.map_err(|error| Failure::Usage(format!("--ca: {error}")))?;
    let name = server.profile.as_deref().unwrap_or(USUAL);
    block_on(async {
        let profile = Profile { url: url.clone(), key, ca };
        let me = client(&profile)?.get("/whoami").await?;
        let mut profiles = profiles()?;
        profiles.set(name, profile);
        profiles.save()?;
        server.output.done(&me, || {
            let text = |at: &str| me.pointer(at).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
            format!("profile {name}: account {} of {} at {url}", text("/account/name"), text("/agency/name"))
        })
    })
}

/// From standard input, so that a key stays out of the shell's history and the process list.
fn read_key() -> Done<String> {
    if std::io::stdin().is_terminal() {
        eprint!("key: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::Failed(error.to_string()))?;
    match line.trim() {
        "" => {
            Err(Failure::Usage("no key: say --key, set CHANGTONG_KEY, or give it on standard input".into()))
        }
        key => Ok(key.to_owned()),
    }
}
