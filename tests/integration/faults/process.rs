//! The server as a process of its own: what it said, holds in memory and ends with, and signals for it.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

pub struct Process {
    pub(super) child: Child,
    pub url: String,
    pub(super) output: PathBuf,
}

impl Process {
    /// Waits until it answers; false if it ended instead.
    pub async fn serves(&mut self) -> bool {
        let address = self.url.trim_start_matches("http://").to_owned();
        loop {
            if tokio::net::TcpStream::connect(&address).await.is_ok() && self.profile_is_written() {
                return true;
            }
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn profile_is_written(&self) -> bool {
        self.output.parent().is_some_and(|folder| folder.join("profiles.toml").exists())
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "the process is gone: {}", self.said());
    }

    /// Waits for its end; answers the code it ended with.
    pub async fn exit_code(&mut self) -> i32 {
        self.ended().await;
        self.child.wait().expect("its state").code().expect("it was not killed")
    }

    /// Waits for its end by a signal; whether the system wrote its memory out.
    pub async fn dumps_core(&mut self) -> bool {
        self.ended().await;
        self.child.wait().expect("its state").core_dumped()
    }

    /// Waits until it has ended by itself or by its fault.
    pub async fn ended(&mut self) {
        while self.child.try_wait().expect("its state").is_none() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until it stands still at a fault.
    pub async fn stands_still(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).expect("its state").contains(") T ") {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until it has ended by itself, for somebody else to look at how.
    pub async fn is_gone(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).expect("its state").contains(") Z ") {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds in memory now, in bytes.
    pub fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("its state");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib = line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number");
        kib << 10
    }

    /// The address of its operations listener, as it said it.
    pub fn operations(&self) -> String {
        let said = self.said();
        let address = said.split("operations=").nth(1).and_then(|rest| rest.split_whitespace().next());
        format!("http://{}", address.unwrap_or_else(|| panic!("no operations listener: {said}")))
    }

    pub async fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.ended().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
