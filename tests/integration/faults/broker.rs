//! A broker of a test's own, to be killed and stopped, or one that asks who calls.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::support::certificates::Issued;

pub struct Broker {
    dir: TempDir,
    child: Option<Child>,
    /// What the script is told to start it.
    starting: Vec<String>,
    pub address: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/kafka.sh")
}

impl Broker {
    /// `None` where the machine is declared to be without Kafka.
    pub fn start() -> Option<Self> {
        Self::with_sessions_of(6000)
    }

    /// One that was killed may come back once its old session is over, in so many milliseconds.
    pub fn with_sessions_of(time: u32) -> Option<Self> {
        let settings = format!("broker.session.timeout.ms={time}\nbroker.heartbeat.interval.ms=500\n");
        Self::with(&[], |_, _, _| settings)
    }

    /// One for the user `bus` with the password `right` alone, over TLS, at `localhost`.
    pub fn secured(shown: &Issued, authority: &[u8]) -> Option<Self> {
        let mut broker = Self::with(
            &["SCRAM-SHA-512=[name=bus,password=right]"],
            |dir, port, controller| {
                std::fs::write(dir.join("ca.pem"), authority).expect("the authority");
                let shown = [shown.key.as_slice(), &shown.certificate].concat();
                std::fs::write(dir.join("broker.pem"), shown).expect("what it shows");
                let (dir, security) = (dir.display(), "org.apache.kafka.common.security");
                format!(
                    "listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
                 advertised.listeners=SASL_SSL://localhost:{port}\n\
                 listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n\
                 inter.broker.listener.name=SASL_SSL\n\
                 sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
                 sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN\n\
                 listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule required \
                 username=\"bus\" password=\"right\";\n\
                 listener.name.sasl_ssl.plain.sasl.jaas.config={security}.plain.PlainLoginModule required \
                 username=\"bus\" password=\"right\" user_bus=\"right\";\n\
                 ssl.keystore.type=PEM\nssl.keystore.location={dir}/broker.pem\n\
                 ssl.truststore.type=PEM\nssl.truststore.location={dir}/ca.pem\n"
                )
            },
        )?;
        broker.address = broker.address.replace("127.0.0.1", "localhost");
        Some(broker)
    }

    /// With more settings; the last value of a name holds.
    fn with(formatted: &[&str], more: impl FnOnce(&Path, u16, u16) -> String) -> Option<Self> {
        crate::support::kafka()?;
        let dir = tempfile::tempdir().expect("a folder");
        let [port, controller] = free_ports();
        let ports = [port.to_string(), controller.to_string()];
        let done = Command::new(script()).arg("format").arg(dir.path()).args(ports).args(formatted).status();
        assert!(done.expect("the script").success(), "its storage cannot be formatted");
        let more = more(dir.path(), port, controller);
        let settings = std::fs::OpenOptions::new().append(true).open(dir.path().join("server.properties"));
        settings.expect("its settings").write_all(more.as_bytes()).expect("written");
        let starting = vec!["start".to_owned(), dir.path().display().to_string()];
        let mut broker = Self { dir, child: None, starting, address: format!("127.0.0.1:{port}") };
        broker.run();
        Some(broker)
    }

    /// One of several that make up a cluster, with all of its settings but where its records are, the id of the cluster,
    /// and how it finds the names of the others.
    pub fn joins(address: String, settings: &str, cluster: &str, hosts: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let settings = format!("{settings}log.dirs={}\n", path("logs"));
        std::fs::write(path("server.properties"), settings).expect("its settings");
        std::fs::write(path("hosts"), hosts).expect("its hosts");
        let java = ["-Xmx192m", "-XX:TieredStopAtLevel=1"].map(str::to_owned);
        let mut starting = vec!["join".to_owned(), cluster.to_owned(), dir.path().display().to_string()];
        starting.extend(java);
        starting.push(format!("-Djdk.net.hosts.file={}", path("hosts")));
        let mut broker = Self { dir, child: None, starting, address };
        broker.run();
        broker
    }

    /// Waits until it takes connections.
    pub async fn answers(&self) {
        while tokio::net::TcpStream::connect(&self.address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// The first file of a partition (`topic-0`).
    pub fn segment(&self, partition: &str) -> PathBuf {
        self.dir.path().join("logs").join(partition).join("00000000000000000000.log")
    }

    /// Starts it, again.
    pub fn run(&mut self) {
        assert!(self.child.is_none(), "it runs");
        self.child = Some(Command::new(script()).args(&self.starting).spawn().expect("a broker"));
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it has ended");
        }
    }

    /// `-STOP` or `-CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }

    fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Its files as they are at one moment are kept, to be put back.
    pub fn is_copied(&self) {
        let stat = format!("/proc/{}/stat", self.id());
        self.signal("-STOP");
        while !std::fs::read_to_string(&stat).expect("its state").contains(") T ") {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.dir.path().join("logs")).arg(self.dir.path().join("older"));
        assert!(copy.status().expect("cp").success());
        self.signal("-CONT");
    }

    /// Where it was killed, the files that were kept take the place of its own.
    pub fn is_put_back(&self) {
        assert!(self.child.is_none(), "it runs");
        let logs = self.dir.path().join("logs");
        std::fs::remove_dir_all(&logs).expect("its files");
        std::fs::rename(self.dir.path().join("older"), logs).expect("those that were kept");
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

/// Ports below the range that the system gives out by itself, so that the broker gets its own back; given out once, as a
/// broker takes them seconds later, while another may be looking.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let begin = 20_000 + (std::process::id() * 7 % 10_000) as u16;
    let mut free = std::iter::repeat_with(|| begin + GIVEN.fetch_add(1, Ordering::Relaxed))
        .take_while(|port| *port < 32_000)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    std::array::from_fn(|_| free.next().expect("a port"))
}
