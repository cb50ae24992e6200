//! Three brokers of a test's own, which can be parted from each other while their clients reach all of them: brokers find
//! each other by names, and a file of each broker's own makes these the addresses of proxies, one for each direction.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::broker::{Broker, free_ports};
use super::metadata::{Belief, ask};
use super::proxy::Proxy;

pub const BROKERS: [i32; 3] = [1, 2, 3];
/// The one that is the controller too.
pub const CONTROLLER: i32 = 1;
/// Longer than it takes brokers to agree on anything.
const FOR_EVER: Duration = Duration::from_secs(90);

/// Sessions of five seconds: a broker that is away is known to be before a publish is given up.
const SETTINGS: &str = "\
    controller.listener.names=CONTROLLER\n\
    inter.broker.listener.name=BROKER\n\
    listener.security.protocol.map=CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,BROKER:PLAINTEXT\n\
    auto.create.topics.enable=false\n\
    broker.session.timeout.ms=5000\n\
    broker.heartbeat.interval.ms=500\n\
    replica.socket.timeout.ms=3000\n\
    leader.imbalance.check.interval.seconds=1\n\
    controlled.shutdown.enable=false\n\
    log.cleaner.dedupe.buffer.size=8388608\n";

pub struct Cluster {
    brokers: Vec<Broker>,
    /// From whom, to whom.
    ways: Vec<(i32, i32, Proxy)>,
    /// Before each, for clients.
    doors: Vec<Proxy>,
}

impl Cluster {
    /// `None` where the machine is declared to be without Kafka.
    pub async fn start() -> Option<Self> {
        crate::support::kafka()?;
        let clients: [u16; 3] = free_ports();
        let brokers: [u16; 3] = free_ports();
        let [controller] = free_ports();
        let mut ways = Vec::new();
        for (from, to) in pairs() {
            let port = brokers[index(to)];
            let listeners = [port, controller].into_iter().take(if to == CONTROLLER { 2 } else { 1 });
            for port in listeners {
                let proxy = format!("{}:{port}", seen(from, to));
                ways.push((from, to, Proxy::at(&proxy, format!("127.0.0.1:{port}")).await));
            }
        }
        let mut doors = Vec::new();
        for port in clients {
            doors.push(Proxy::before(format!("127.0.0.1:{port}")).await);
        }
        // Its sixteen bytes; no other cluster is near.
        let cluster = "AAAAAAAAQACAAAAAAAAAAQ";
        let start = |id: i32| {
            let (client, port) = (clients[index(id)], brokers[index(id)]);
            let mut settings =
                format!("{SETTINGS}node.id={id}\ncontroller.quorum.voters=1@broker1:{controller}\n");
            let (roles, own) = match id {
                CONTROLLER => ("broker,controller", format!(",CONTROLLER://127.0.0.1:{controller}")),
                _ => ("broker", String::new()),
            };
            let _ = writeln!(
                settings,
                "process.roles={roles}\nlisteners=CLIENT://127.0.0.1:{client},BROKER://127.0.0.1:{port}{own}\n\
                 advertised.listeners=CLIENT://{},BROKER://broker{id}:{port}",
                doors[index(id)].address
            );
            let hosts: String = BROKERS.map(|to| format!("{} broker{to}\n", seen(id, to))).concat();
            Broker::joins(format!("127.0.0.1:{client}"), &settings, cluster, &hosts)
        };
        let brokers = BROKERS.map(start).into();
        let cluster = Self { brokers, ways, doors };
        for asked in BROKERS {
            cluster.comes_to(asked, |belief| belief.brokers == BROKERS).await;
        }
        Some(cluster)
    }

    /// Where clients reach them.
    pub fn addresses(&self) -> String {
        self.doors.iter().map(|door| door.address.as_str()).collect::<Vec<_>>().join(",")
    }

    pub fn broker(&mut self, id: i32) -> &mut Broker {
        &mut self.brokers[index(id)]
    }

    /// Nothing passes between that broker and any other.
    pub fn part(&self, id: i32) {
        self.ways_of(id).for_each(Proxy::fall_silent);
    }

    pub fn heal(&self, id: i32) {
        self.ways_of(id).for_each(Proxy::reopen);
    }

    /// What lies between clients and each broker.
    pub fn doors(&self) -> &[Proxy] {
        &self.doors
    }

    fn ways_of(&self, id: i32) -> impl Iterator<Item = &Proxy> {
        self.ways.iter().filter(move |(from, to, _)| *from == id || *to == id).map(|(.., proxy)| proxy)
    }

    pub async fn belief(&self, asked: i32) -> Belief {
        ask(&self.brokers[index(asked)].address).await.expect("it answers")
    }

    /// Waits until that broker believes so.
    pub async fn comes_to(&self, asked: i32, so: impl Fn(&Belief) -> bool) {
        let mut last = None;
        let coming = async {
            loop {
                last = ask(&self.brokers[index(asked)].address).await;
                if last.as_ref().is_some_and(&so) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let came = timeout(FOR_EVER, coming).await;
        assert!(came.is_ok(), "broker {asked} does not come to that: {last:?}");
    }

    /// Waits until all brokers have all records, and each leads some.
    pub async fn is_whole(&self) {
        let whole = |belief: &Belief| {
            let leads = |id: &i32| belief.partitions.iter().any(|partition| partition.leader == *id);
            belief.partitions.iter().all(|partition| partition.in_sync == BROKERS)
                && BROKERS.iter().all(leads)
        };
        for asked in BROKERS {
            self.comes_to(asked, whole).await;
        }
    }
}

fn pairs() -> impl Iterator<Item = (i32, i32)> {
    BROKERS.into_iter().flat_map(|from| BROKERS.map(|to| (from, to))).filter(|(from, to)| from != to)
}

fn index(id: i32) -> usize {
    usize::try_from(id - 1).expect("a broker")
}

/// Where a broker finds another: at a proxy for that direction, and itself without one.
fn seen(from: i32, to: i32) -> String {
    if from == to { "127.0.0.1".to_owned() } else { format!("127.0.{from}.{to}") }
}
