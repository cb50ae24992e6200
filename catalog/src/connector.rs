//! A connector as the catalog keeps it: what it is, who runs it, what was ordered, what it last reported.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::audit::ConnectorState;
use crate::clock::Time;
use crate::error::{Code, Refusal};
use crate::ids::{AccountId, AgencyId, ConnectorId};

/// What a person ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    Running,
    Paused,
    Stopped,
}

/// Who runs a connector (`process` in its file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    #[default]
    Server,
    /// `changtong connector run`, beside the agency's system.
    Own,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    pub id: ConnectorId,
    /// Unique within its agency.
    pub name: String,
    pub agency: AgencyId,
    /// As whom it publishes or reads.
    pub account: AccountId,
    /// Its file (interface.md 7).
    pub spec: Value,
    pub desired: Desired,
    /// Raised by every reset: the runner begins anew when it sees another number.
    pub resets: i32,
    /// Raised by every confirmation of what it waits with.
    pub confirmations: i32,
    /// What the runner last reported.
    pub status: Value,
    /// Raised by every change a person makes; the `ETag`.
    pub version: i32,
    pub created_at: Time,
}

/// The process that a report comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reporter {
    /// Of its state file: the same after every start.
    pub node: Uuid,
    /// Of the program.
    pub version: String,
}

/// A process of its own that was not heard for so long is silent; one that lives reports every few seconds.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(20);
/// Of a report that says nothing new no more than one in this time is kept.
const KEPT_EVERY: TimeDelta = TimeDelta::seconds(5);
/// Bytes of the details of a report.
const MOST_DETAILS: usize = 8 * 1024;

impl Connector {
    /// Who runs it.
    #[must_use]
    pub fn process(&self) -> Process {
        let written = self.spec.get("process").cloned();
        written.and_then(|process| serde_json::from_value(process).ok()).unwrap_or_default()
    }

    fn said<T: for<'de> Deserialize<'de>>(&self, member: &str) -> Option<T> {
        serde_json::from_value(self.status.get(member)?.clone()).ok()
    }

    /// Whether its own process should have reported since, or never did. One that said it stopped owes no report.
    #[must_use]
    pub fn is_silent(&self, now: Time) -> bool {
        let ended = self.said("state") == Some(ConnectorState::Stopped);
        let heard = self.said::<Time>("reported_at");
        self.process() == Process::Own && !ended && heard.is_none_or(|at| now - at > SILENT_AFTER)
    }

    /// Its state for people: as it was reported, or that its process is silent.
    #[must_use]
    pub fn shown_status(&self, now: Time) -> Value {
        let mut status = self.status.clone();
        if self.is_silent(now)
            && let Some(members) = status.as_object_mut()
        {
            let before = members.insert("state".to_owned(), "silent".into());
            members.insert("before".to_owned(), before.unwrap_or(Value::Null));
        }
        status
    }

    /// Whether that process of that account may report for it.
    pub fn may_report(&self, account: AccountId, reporter: &Reporter, now: Time) -> Result<(), Refusal> {
        if self.process() != Process::Own {
            return Err(Refusal::new(
                Code::InvalidState,
                "该连接器由服务器运行;要在自己的进程中运行,请在文件中写 process = \"own\" 并重新 apply",
                "the server runs this connector; to run it in a process of its own, write process = \"own\" into its \
                 file and apply it again",
            ));
        }
        if self.account != account {
            return Err(Refusal::new(
                Code::Forbidden,
                "该连接器属于本机构的另一账号;请用那个账号的密钥,或以本账号重新 apply",
                "the connector belongs to another account of the agency: use a key of that one, or apply the file with \
                 this one",
            ));
        }
        let ended = self.said("state") == Some(ConnectorState::Stopped);
        let node: Option<Uuid> = self.said("node");
        if node.is_some_and(|node| node != reporter.node) && !ended && !self.is_silent(now) {
            return Err(Refusal::new(
                Code::Conflict,
                "另一个进程正在运行该连接器;请先停止它,或等它沉默 20 秒",
                "another process runs this connector: stop it, or wait until it has been silent for 20 seconds",
            ));
        }
        Ok(())
    }

    /// Whether a report says something that is worth writing down now.
    #[must_use]
    pub fn is_news(&self, status: &Value, now: Time) -> bool {
        let differs = |member: &str| self.status.get(member) != status.get(member);
        let long_ago = self.said::<Time>("reported_at").is_none_or(|at| now - at > KEPT_EVERY);
        long_ago || ["state", "error", "node", "version"].into_iter().any(differs)
    }
}

/// Whether what a process says of itself may be kept.
pub fn check_report(reporter: &Reporter, details: &Value) -> Result<(), Refusal> {
    let wrong = |path: &str, zh: &str, en: &str| {
        Err(Refusal::new(Code::Invalid, format!("{path}:{zh}"), format!("{path}: {en}")).with("path", path))
    };
    let version = &reporter.version;
    if !(1..=64).contains(&version.len()) || !version.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("version", "应为 1 至 64 个可见 ASCII 字符", "1 to 64 visible ASCII characters");
    }
    if !details.is_object() || details.to_string().len() > MOST_DETAILS {
        return wrong("details", "应为不超过 8 KiB 的对象", "an object of at most 8 KiB");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + seconds)
    }

    fn connector(process: &str, status: Value) -> Connector {
        Connector {
            id: ConnectorId(Uuid::nil()),
            name: "in".to_owned(),
            agency: AgencyId(Uuid::nil()),
            account: AccountId(Uuid::nil()),
            spec: json!({ "process": process }),
            desired: Desired::Running,
            resets: 0,
            confirmations: 0,
            status,
            version: 1,
            created_at: at(0),
        }
    }

    fn said(state: &str, node: u128, seconds: i64) -> Value {
        json!({ "state": state, "node": Uuid::from_u128(node), "reported_at": at(seconds), "version": "1" })
    }

    fn reporter(node: u128) -> Reporter {
        Reporter { node: Uuid::from_u128(node), version: "1".to_owned() }
    }

    #[test]
    fn a_process_that_should_have_reported_is_silent() {
        assert!(connector("own", json!({})).is_silent(at(0)), "it never reported");
        assert!(!connector("server", json!({})).is_silent(at(0)));
        let running = connector("own", said("running", 1, 0));
        assert!(!running.is_silent(at(20)) && running.is_silent(at(21)));
        assert_eq!(running.shown_status(at(20))["state"], "running");
        let shown = running.shown_status(at(21));
        assert_eq!((&shown["state"], &shown["before"]), (&json!("silent"), &json!("running")));
        assert!(!connector("own", said("stopped", 1, 0)).is_silent(at(99)), "it said so");
    }

    #[test]
    fn one_process_of_its_account_reports_at_a_time() {
        let code = |connector: &Connector, account: u128, node: u128, now: i64| {
            let account = AccountId(Uuid::from_u128(account));
            connector.may_report(account, &reporter(node), at(now)).err().map(|refusal| refusal.code)
        };
        let running = connector("own", said("running", 1, 0));
        assert_eq!(code(&running, 0, 1, 5), None);
        assert_eq!(code(&running, 9, 1, 5), Some(Code::Forbidden));
        assert_eq!(code(&running, 0, 2, 5), Some(Code::Conflict));
        assert_eq!(code(&running, 0, 2, 21), None, "the other one is silent");
        assert_eq!(code(&connector("own", said("stopped", 1, 0)), 0, 2, 1), None, "the other one ended");
        assert_eq!(code(&connector("own", json!({})), 0, 2, 1), None);
        assert_eq!(code(&connector("server", json!({})), 0, 1, 0), Some(Code::InvalidState));
    }

    #[test]
    fn what_says_nothing_new_is_kept_now_and_then() {
        let kept = connector("own", said("running", 1, 0));
        assert!(!kept.is_news(&said("running", 1, 4), at(4)));
        assert!(kept.is_news(&said("running", 1, 6), at(6)));
        assert!(kept.is_news(&said("failed", 1, 1), at(1)));
        assert!(kept.is_news(&said("running", 2, 1), at(1)));
    }

    #[test]
    fn a_report_is_bounded() {
        assert!(check_report(&reporter(1), &json!({ "lag": null })).is_ok());
        assert!(check_report(&reporter(1), &json!([])).is_err());
        assert!(check_report(&reporter(1), &json!({ "part": "x".repeat(9000) })).is_err());
        let unnamed = Reporter { version: String::new(), ..reporter(1) };
        assert!(check_report(&unnamed, &json!({})).is_err());
    }
}
