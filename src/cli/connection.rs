//! Which server a command calls, and as whom: flags, then `CHANGTONG_URL` and `CHANGTONG_KEY`, then a profile.

use changtong_catalog::error::Text;
use clap::Args;

use super::failure::{Done, Failure};
use super::output::Output;
use crate::client::Client;
use crate::profiles::{Profile, Profiles};
use crate::settings::environment_variable;

/// The profile that `login` writes and that is taken where nothing else says.
pub const USUAL: &str = "default";
const USUAL_URL: &str = "http://127.0.0.1:7070";

#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// Address of the server; also CHANGTONG_URL
    #[arg(long, value_name = "URL", global = true, help_heading = "Server")]
    pub url: Option<String>,
    /// API key; also CHANGTONG_KEY
    #[arg(long, value_name = "KEY", global = true, help_heading = "Server")]
    pub key: Option<String>,
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
        let named = self.profile.as_deref().map(named).transpose()?;
        let variable = |name| named.is_none().then(|| environment_variable(name)).flatten();
        let named_part = |part: fn(&Profile) -> &String| named.as_ref().map(part).cloned();
        let mut url =
            self.url.clone().or_else(|| named_part(|p| &p.url)).or_else(|| variable("CHANGTONG_URL"));
        let mut key =
            self.key.clone().or_else(|| named_part(|p| &p.key)).or_else(|| variable("CHANGTONG_KEY"));
        if key.is_none() {
            let profile = usual_profile(usual)?;
            url = url.or(Some(profile.url));
            key = Some(profile.key);
        }
        client(url.as_deref().unwrap_or(USUAL_URL), key.as_deref().unwrap_or_default())
    }
}

/// A client that does not wait for a server that has never answered.
pub fn client(url: &str, key: &str) -> Done<Client> {
    Client::new(url, key, language())
        .map(Client::expecting_a_server)
        .map_err(|e| Failure::Usage(e.to_string()))
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
