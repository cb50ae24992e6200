//! How a command fails, and the exit code that says so: 1 refused or failed, 2 wrong usage, 3 not reachable, 4 for a
//! question that was answered, and the answer is that something would break.

use std::fmt;
use std::process::ExitCode;

use changtong_catalog::error::{Refusal, Text};

use super::connection::spoken;
use crate::app::StartError;
use crate::client::CallError;
use crate::settings::SettingsError;

/// What a command comes to.
pub type Done<T = ()> = Result<T, Failure>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server refused, or something on this machine did.
    Failed(String),
    /// The command line does not say what is needed.
    Usage(String),
    /// No answer came.
    Unreachable(String),
    /// What was asked about would break something.
    Breaks(String),
}

impl Failure {
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Breaks(_) => 4,
        })
    }

    /// The same failure with more said.
    #[must_use]
    pub fn and(self, more: impl fmt::Display) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(format!("{text}\n{more}")),
            Self::Usage(text) => Self::Usage(format!("{text}\n{more}")),
            Self::Unreachable(text) => Self::Unreachable(format!("{text}\n{more}")),
            Self::Breaks(text) => Self::Breaks(format!("{text}\n{more}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(text) | Self::Usage(text) | Self::Unreachable(text) | Self::Breaks(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let hint = match &error {
            CallError::Unreachable(_) => Some(Text::new(
                "请确认服务器正在运行(changtong serve),地址无误(--url、CHANGTONG_URL 或配置档)",
                "is it running (changtong serve), and is the address right (--url, CHANGTONG_URL or the profile)?",
            )),
            _ if error.code() == Some("unauthenticated") => Some(Text::new(
                "命令所用的密钥来自 --key、CHANGTONG_KEY 或 --as 指定的配置档;changtong login 可试用并保存密钥",
                "a command takes its key from --key, CHANGTONG_KEY or the profile of --as; changtong login tries a key and \
                 keeps it",
            )),
            _ => None,
        };
        let failure = match error {
            CallError::Unreachable(text) => Self::Unreachable(text),
            CallError::Distrusted(why) => Self::Unreachable(spoken(why)),
            refused_or_broken => Self::Failed(refused_or_broken.to_string()),
        };
        match hint {
            Some(hint) => failure.and(spoken(hint)),
            None => failure,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(format!("{}: {}", refusal.code, spoken(refusal.text)))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Failed(spoken(error.text()))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            // What a server says of its end is read by whoever runs it, in an environment that names no language.
            StartError::Refused(refusal) => {
                Self::Failed(format!("{}: {}\n{}", refusal.code, refusal.text.zh, refusal.text.en))
            }
            of_this_machine => Self::Failed(of_this_machine.to_string()),
        }
    }
}
