//! Where values come from: reads file, environment and flags into one table of texts, each with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Key, Setting, Settings, SettingsError};

/// Where a value was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl Origin {
    pub(super) fn zh(&self) -> String {
        match self {
            Self::Default => "内置默认值".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Environment(name) => format!("环境变量 {name}"),
            Self::Flag(flag) => format!("参数 {flag}"),
        }
    }
}

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub flag: &'static str,
    /// `section.key`.
    pub key: &'static str,
    pub value: String,
}

/// Everything that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Flag>,
    /// The relaxed rules of `serve --dev`.
    pub dev: bool,
}

impl Sources {
    /// The file given, the environment of this process and the flags given.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>, dev: bool) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, flags, dev }
    }

    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let mut values = Values::defaults();
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Unreadable {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            values.read_file(path, &text)?;
        }
        for (name, value) in &self.environment {
            values.read_variable(name, value)?;
        }
        for Flag { flag, key, value } in &self.flags {
            values.set(key, value.clone(), Origin::Flag(flag))?;
        }
        let settings = Settings::read(&values, self.dev)?;
        Ok(Loaded { settings, origins: values.origins() })
    }
}

/// The settings, and the text of each with where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub origins: Vec<(Key, String, Origin)>,
}

/// Text and origin of every known key.
pub(super) struct Values(BTreeMap<String, (Key, String, Origin)>);

impl Values {
    fn defaults() -> Self {
        let entry = |key: Key| (key.path(), (key, key.default.to_owned(), Origin::Default));
        Self(Settings::keys().map(entry).collect())
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), SettingsError> {
        let origin = Origin::File(path.to_path_buf());
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let (line, column, key) = place(text, error.span().map_or(0, |span| span.start));
            SettingsError::NotToml { path: path.to_path_buf(), line, column, key }
        })?;
        for (section, content) in table {
            let toml::Value::Table(content) = content else {
                return Err(self.unknown(&section, origin));
            };
            if !self.0.values().any(|(key, ..)| key.section == section) {
                return Err(self.unknown(&section, origin));
            }
            for (name, value) in content {
                let path = format!("{section}.{name}");
                match text_of(&value) {
                    Some(text) => self.set(&path, text, origin.clone())?,
                    None => {
                        let reason = "expected text, a number, true, false or a list of them".to_owned();
                        return Err(SettingsError::Wrong { origin, key: path, reason });
                    }
                }
            }
        }
        Ok(())
    }

    /// Variables without `__` (`CHANGTONG_URL`, …) are of the commands, not settings.
    fn read_variable(&mut self, name: &str, value: &str) -> Result<(), SettingsError> {
        let Some((section, key)) = name.strip_prefix("CHANGTONG_").and_then(|rest| rest.split_once("__"))
        else {
            return Ok(());
        };
        let path = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
        self.set(&path, value.to_owned(), Origin::Environment(name.to_owned()))
    }

    fn set(&mut self, path: &str, text: String, origin: Origin) -> Result<(), SettingsError> {
        let Some(entry) = self.0.get_mut(path) else { return Err(self.unknown(path, origin)) };
        entry.1 = text;
        entry.2 = origin;
        Ok(())
    }

    fn unknown(&self, found: &str, origin: Origin) -> SettingsError {
        let sections = self.0.values().map(|(key, ..)| key.section.to_owned());
        let known: Vec<String> =
            if found.contains('.') { self.0.keys().cloned().collect() } else { sections.collect() };
        let nearest = known
            .into_iter()
            .map(|known| (strsim::jaro_winkler(&known, found), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.7)
            .map(|(_, known)| known);
        SettingsError::Unknown { origin, found: found.to_owned(), nearest }
    }

    pub(super) fn get<T: Setting>(&self, section: &str, name: &str) -> Result<T, SettingsError> {
        let path = format!("{section}.{name}");
        let Some((_, text, origin)) = self.0.get(&path) else {
            return Err(self.unknown(&path, Origin::Default));
        };
        T::parse(text).map_err(|reason| SettingsError::Wrong { origin: origin.clone(), key: path, reason })
    }

    /// An error about a key whose text is well formed but which does not go with the others.
    pub(super) fn wrong(&self, path: &str, reason: impl Into<String>) -> SettingsError {
        let origin = self.0.get(path).map_or(Origin::Default, |(.., origin)| origin.clone());
        SettingsError::Wrong { origin, key: path.to_owned(), reason: reason.into() }
    }

    fn origins(&self) -> Vec<(Key, String, Origin)> {
        self.0.values().cloned().collect()
    }
}

/// Line, column and key of a place in a file of settings. Nothing else of the line is told, as it may hold a secret;
/// and what stands before `=` only if it is the name of a setting.
fn place(text: &str, at: usize) -> (usize, usize, Option<&'static str>) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let name = line.split('=').next().unwrap_or_default().trim();
    let key = Settings::keys().map(|key| key.name).find(|known| *known == name);
    (before.matches('\n').count() + 1, before.get(start..).unwrap_or_default().chars().count() + 1, key)
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(list) => {
            list.iter().map(text_of).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}
