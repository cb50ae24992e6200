//! The types a setting may have and how each is read from text: the form of the environment, of flags and, after the
//! TOML value is turned into text, of the file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::FixedOffset;

/// A type that a setting may have.
pub trait Setting: Sized {
    /// Reads the text; the error says what was expected.
    fn parse(text: &str) -> Result<Self, String>;
}

impl Setting for bool {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected true or false".to_owned())
    }
}

macro_rules! parsed {
    ($($type:ty => $expected:literal),* $(,)?) => { $(
        impl Setting for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| concat!("expected ", $expected).to_owned())
            }
        }
    )* };
}

parsed! {
    u16 => "a whole number from 0 to 65535",
    u32 => "a whole number, not negative",
    i32 => "a whole number",
    usize => "a whole number, not negative",
    SocketAddr => "an address and port such as 127.0.0.1:7070 or [::1]:7070",
    IpAddr => "an IP address",
}

impl Setting for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("expected a path".to_owned()) } else { Ok(Self::from(text)) }
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(T::parse).collect()
    }
}

impl Setting for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a duration such as 500ms, 30s, 5m, 12h or 30d".to_owned();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| expected())?;
        let seconds = match unit {
            "ms" => return Ok(Self::from_millis(number)),
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return Err(expected()),
        };
        number.checked_mul(seconds).map(Self::from_secs).ok_or_else(expected)
    }
}

/// A number of bytes, written `64KiB`, `16MiB`, `1GiB` or as a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl Setting for Size {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a size such as 65536, 64KiB, 16MiB or 1GiB".to_owned();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: usize = number.parse().map_err(|_| expected())?;
        let factor = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(expected()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(expected)
    }
}

/// The deployment's zone, in which quota days run. China keeps one offset all year; another deployment writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub FixedOffset);

impl Setting for Zone {
    fn parse(text: &str) -> Result<Self, String> {
        let offset = if text == "Asia/Shanghai" { "+08:00" } else { text };
        offset.parse().map(Self).map_err(|_| "expected Asia/Shanghai or an offset such as +08:00".to_owned())
    }
}

/// How a user proves to the brokers who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Setting for Mechanism {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "PLAIN" => Ok(Self::Plain),
            "SCRAM-SHA-256" => Ok(Self::ScramSha256),
            "SCRAM-SHA-512" => Ok(Self::ScramSha512),
            _ => Err("expected SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN".to_owned()),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    Text,
    Json,
}

impl Setting for LineFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".to_owned()),
        }
    }
}

/// Where a secret lies: `file:PATH` or `env:NAME`. The secret itself is read when it is used and kept nowhere here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn read(&self) -> Result<String, String> {
        let value = match self.0.split_once(':') {
            Some(("file", path)) => read_secret_file(path)?,
            Some((_, name)) => {
                super::environment_variable(name).ok_or_else(|| format!("the variable {name} is not set"))?
            }
            None => String::new(),
        };
        if value.is_empty() { Err(format!("the secret {} is empty", self.0)) } else { Ok(value) }
    }
}

impl Setting for Secret {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file" | "env", rest)) if !rest.is_empty() => Ok(Self(text.to_owned())),
            // The text is not repeated: somebody may have written the secret itself.
            _ => Err("expected file:PATH or env:NAME; a secret never stands in the settings".to_owned()),
        }
    }
}

fn read_secret_file(path: &str) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(format!("{path} can be read by everybody (mode {:o}); chmod o-rwx {path}", mode & 0o777));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
