//! A broker of a test's own, to be killed and stopped.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

pub struct Broker {
    dir: TempDir,
    child: Option<Child>,
    pub address: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/kafka.sh")
}

impl Broker {
    /// `None` where the machine is declared to be without Kafka.
    pub fn start() -> Option<Self> {
        crate::support::kafka()?;
        let dir = tempfile::tempdir().expect("a folder");
        let (port, controller) = free_ports();
        let ports = [port.to_string(), controller.to_string()];
        let formatted = Command::new(script()).arg("format").arg(dir.path()).args(ports).status();
        assert!(formatted.expect("the script").success(), "its storage cannot be formatted");
        // One that was killed may come back once its old session is over (the last value of a name holds).
        let settings = std::fs::OpenOptions::new().append(true).open(dir.path().join("server.properties"));
        settings.expect("its settings").write_all(b"broker.session.timeout.ms=6000\n").expect("written");
        let mut broker = Self { dir, child: None, address: format!("127.0.0.1:{port}") };
        broker.run();
        Some(broker)
    }

    /// Starts it, again.
    pub fn run(&mut self) {
        assert!(self.child.is_none(), "it runs");
        self.child =
            Some(Command::new(script()).arg("start").arg(self.dir.path()).spawn().expect("a broker"));
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it has ended");
        }
    }

    /// `-STOP` or `-CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports below the range that the system gives out by itself, so that the broker gets its own back.
fn free_ports() -> (u16, u16) {
    let begin = 20_000 + (std::process::id() * 7 % 10_000) as u16;
    let mut free = (begin..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().expect("a port"), free.next().expect("a port"))
}
