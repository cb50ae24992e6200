//! The real binary, run as a person would: a folder, a profile file, nothing of this process's environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use changtong::profiles::{Profile, Profiles};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::TestApp;

/// A table of numbers, as a file that `resource apply` takes.
pub const PEOPLE: &str = r#"
class = "300000"
title = "people"
provider = "stats"
kind = "table"
share_type = "unconditional"
update_cycle = "irregular"
key = ["id"]
[[items]]
name = "id"
title = "编号"
type = "I"
"#;

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub struct Shell {
    folder: TempDir,
}

impl Shell {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With the profile `authority` of that application.
    pub fn of(app: &TestApp) -> Self {
        let shell = Self::new();
        let mut profiles = Profiles::open(&shell.profiles()).expect("profiles");
        let url = format!("http://{}", app.api);
        profiles.set("authority", Profile { url, key: app.authority.clone(), ca: None });
        profiles.save().expect("they are written");
        shell
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn profiles(&self) -> PathBuf {
        self.path("profiles.toml")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file is written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    pub fn command(&self, args: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_changtong"));
        command
            .args(args.iter().map(AsRef::as_ref))
            .current_dir(self.folder.path())
            .env_clear()
            .env("CHANGTONG_PROFILES", self.profiles())
            .env("CHANGTONG_HTTP__LISTEN", "127.0.0.1:0")
            .env("CHANGTONG_REGISTRY__LISTEN", "127.0.0.1:0")
            .env("CHANGTONG_OPERATIONS__LISTEN", "127.0.0.1:0")
            .env("LANG", "en")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub async fn run(&self, args: &[impl AsRef<str>]) -> Ran {
        let output = self.command(args).output().await.expect("the command runs");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        Ran {
            code: output.status.code().expect("it was not killed"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Starts a server of its own; it is ready when its first profile is written.
    pub async fn serve(&self, args: &[impl AsRef<str>]) -> Child {
        let mut command = self.command(args);
        let mut server = command.stdout(std::process::Stdio::null()).spawn().expect("the server starts");
        while !self.profiles().exists() {
            assert!(server.try_wait().expect("its state").is_none(), "the server ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// Runs a command that must succeed; its standard output.
    pub async fn done(&self, args: &[impl AsRef<str>]) -> String {
        let ran = self.run(args).await;
        assert_eq!(ran.code, 0, "{:?}: {}", args.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ran.err);
        ran.out
    }

    /// The words of a line, for commands without spaces in their arguments.
    pub async fn line(&self, line: &str) -> String {
        self.done(&line.split_whitespace().collect::<Vec<_>>()).await
    }

    /// The JSON that a command of that line answers.
    pub async fn json(&self, line: &str) -> Value {
        let out = self.line(&format!("{line} --output json")).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }

    /// A line that must be refused with that exit code; its standard error.
    pub async fn refused(&self, line: &str, code: i32) -> String {
        let ran = self.run(&line.split_whitespace().collect::<Vec<_>>()).await;
        assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
        ran.err
    }
}

/// Asks a server to stop, which it must do well.
pub async fn stop(mut server: Child) {
    let id = server.id().expect("it runs").to_string();
    let asked = Command::new("kill").arg(id).status().await.expect("kill runs");
    assert!(asked.success());
    assert!(server.wait().await.expect("its end").success(), "a server that is asked to stop ends well");
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of that member, a JSON pointer.
pub fn member(value: &Value, at: &str) -> String {
    let found = value.pointer(at).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{at} in {value}")).to_owned()
}
