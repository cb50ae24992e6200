//! Which server a command calls, as whom, and whom it trusts to be it: flags, then `CHANGTONG_URL`, `CHANGTONG_KEY` and
//! `CHANGTONG_CA`, then a profile.

use std::path::{Path, PathBuf};

use changtong_catalog::error::Text;
use clap::Args;
use reqwest::Url;

use super::failure::{Done, Failure};
use super::output::Output;
use crate::client::{Client, Trust};
use crate::profiles::{Profile, Profiles};
use crate::settings::{Secret, Setting as _, environment_variable};

/// The profile that `login` writes and that is taken where nothing else says.
pub const USUAL: &str = "default";
const USUAL_URL: &str = "http://127.0.0.1:7070";

#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// Address of the server; also CHANGTONG_URL
    #[arg(long, value_name = "URL", global = true, help_heading = "Server")]
    pub url: Option<String>,
    /// API key, or where it lies: file:PATH, env:NAME; also CHANGTONG_KEY
    #[arg(long, value_name = "KEY", global = true, help_heading = "Server")]
    pub key: Option<String>,
    /// Authorities (PEM) that sign the server's certificate; also CHANGTONG_CA
    #[arg(long, value_name = "FILE", global = true, help_heading = "Server")]
    pub ca: Option<PathBuf>,
    /// Name of the profile that holds address and key
    #[arg(long = "as", value_name = "PROFILE", global = true, help_heading = "Server")]
    pub profile: Option<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Output::Table, global = true, help_heading = "Server")]
    pub output: Output,
}

impl Connection {
    /// A client for the caller that flags, environment or profile name.
    pub fn client(&self) -> Done<Client> {
        self.client_of(&[USUAL])
    }

    /// `usual` are the profiles to look for where nothing says which, best first.
    pub fn client_of(&self, usual: &[&str]) -> Done<Client> {
        client(&self.profile_of(usual)?)
    }

    /// Address, key and authorities that flags, environment or profile name.
    pub fn profile_of(&self, usual: &[&str]) -> Done<Profile> {
        let named = self.profile.as_deref().map(named).transpose()?;
        let variable = |name| named.is_none().then(|| environment_variable(name)).flatten();
        let named_part = |part: fn(&Profile) -> &String| named.as_ref().map(part).cloned();
        let mut url =
            self.url.clone().or_else(|| named_part(|p| &p.url)).or_else(|| variable("CHANGTONG_URL"));
        let mut key =
            self.key.clone().or_else(|| named_part(|p| &p.key)).or_else(|| variable("CHANGTONG_KEY"));
        let of_profile = named.as_ref().and_then(|profile| profile.ca.clone());
        let mut ca = self.ca.clone().or(of_profile).or_else(|| variable("CHANGTONG_CA").map(PathBuf::from));
        if key.is_none() {
            let profile = usual_profile(usual)?;
            url = url.or(Some(profile.url));
            key = Some(profile.key);
            ca = ca.or(profile.ca);
        }
        let url = url.unwrap_or_else(|| USUAL_URL.to_owned());
        check_url(&url)?;
        Ok(Profile { url, key: secret(key.unwrap_or_default())?, ca })
    }
}

/// A mistyped address is no server that does not answer.
fn check_url(url: &str) -> Done {
    let wrong = |why: &str| {
        Err(Failure::Usage(format!("{url} is no address of a server ({why}); one is http://127.0.0.1:7070")))
    };
    match Url::parse(url) {
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => {
            wrong("it begins with http:// or https://")
        }
        Ok(parsed) if !parsed.has_host() => wrong("it names no host"),
        Ok(_) => Ok(()),
        Err(error) => wrong(&error.to_string()),
    }
}

/// A key may be named by where it lies.
fn secret(key: String) -> Done<String> {
    if !key.starts_with("file:") && !key.starts_with("env:") {
        return Ok(key);
    }
    Secret::parse(&key)
        .and_then(|secret| secret.read())
        .map_err(|reason| Failure::Usage(format!("the key: {reason}")))
}

/// A client that does not wait for a server that has never answered.
pub fn client(profile: &Profile) -> Done<Client> {
    check_url(&profile.url)?;
    Client::trusting(&profile.url, &profile.key, language(), trust(profile.ca.as_deref())?)
        .map(Client::expecting_a_server)
        .map_err(|e| Failure::Usage(e.to_string()))
}

/// The authorities of a file, or those of this machine.
pub fn trust(ca: Option<&Path>) -> Done<Trust> {
    match ca {
        Some(path) => Trust::of_file(path).map_err(|why| Failure::Usage(spoken(why))),
        None => Ok(Trust::default()),
    }
}

/// Reads the profile file of this user.
pub fn profiles() -> Done<Profiles> {
    let path = Profiles::usual_path().ok_or_else(|| {
        Failure::Usage(
            "there is no HOME folder for profiles; set CHANGTONG_PROFILES, or say --url and --key".into(),
        )
    })?;
    Ok(Profiles::open(&path)?)
}

fn named(name: &str) -> Done<Profile> {
    let profiles = profiles()?;
    profiles
        .get(name)
        .cloned()
        .ok_or_else(|| Failure::Usage(format!("there is no profile \"{name}\"; {}", known(&profiles))))
}

fn usual_profile(usual: &[&str]) -> Done<Profile> {
    let profiles = profiles()?;
    let found = usual.iter().find_map(|name| profiles.get(name));
    let only =
        || profiles.names().next().filter(|_| profiles.names().count() == 1).and_then(|n| profiles.get(n));
    found.or_else(only).cloned().ok_or_else(|| {
        Failure::Usage(format!("as whom? say --as PROFILE, or --url and --key; {}", known(&profiles)))
    })
}

fn known(profiles: &Profiles) -> String {
    let names: Vec<&str> = profiles.names().collect();
    if names.is_empty() {
        return "`changtong login` writes one".to_owned();
    }
    format!("profiles: {}", names.join(", "))
}

/// Messages come in the language of the terminal.
pub(super) fn language() -> &'static str {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| environment_variable(name).filter(|value| !value.is_empty()));
    if locale.is_some_and(|locale| locale.starts_with("zh")) { "zh" } else { "en" }
}

/// A text in both, in the language of the terminal.
pub(super) fn spoken(text: Text) -> String {
    if language() == "zh" { text.zh } else { text.en }
}
