//! A broker that asks who calls and shows a certificate: a server that is set up for it publishes and delivers, and one
//! with a wrong password or another authority says what to mend, at its start and to `doctor`.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::broker::Broker;
use super::deployment::{Deployment, once, reconcile};
use crate::support::Pair;
use crate::support::certificates::Authority;

const ROWS: std::ops::Range<u32> = 0..100;

/// A secret in a file that nobody else reads.
fn secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::io::Write as _;
    let path = folder.join(name);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.expect("a file").write_all(text.as_bytes()).expect("it is written");
    path
}

/// Sets a deployment up for the broker.
fn calls(deployment: &mut Deployment, broker: &Broker, ca: &[u8], password: &str) {
    let folder = deployment.folder().to_path_buf();
    let ca_file = folder.join("broker-ca.pem");
    std::fs::write(&ca_file, ca).expect("the authority");
    let password = secret(&folder, "password", password);
    deployment.set("CHANGTONG_KAFKA__BROKERS", broker.address.clone());
    deployment.set("CHANGTONG_KAFKA__REPLICATION_FACTOR", "1".to_owned());
    deployment.set("CHANGTONG_KAFKA__MIN_INSYNC_REPLICAS", "1".to_owned());
    deployment.set("CHANGTONG_KAFKA__TLS", "true".to_owned());
    deployment.set("CHANGTONG_KAFKA__CA_FILE", ca_file.display().to_string());
    deployment.set("CHANGTONG_KAFKA__USERNAME", "bus".to_owned());
    deployment.set("CHANGTONG_KAFKA__PASSWORD", format!("file:{}", password.display()));
}

async fn secured() -> Option<(Authority, Broker)> {
    let authority = Authority::new("the brokers' own");
    let broker = Broker::secured(&authority.issue("localhost", -1..30), &authority.pem())?;
    broker.answers().await;
    Some((authority, broker))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_through_a_broker_that_asks_who_calls() {
    let Some((authority, broker)) = secured().await else { return };
    let mut deployment = Deployment::new(Pair::Production).await.expect("Kafka is there");
    calls(&mut deployment, &broker, &authority.pem(), "right");
    let server = deployment.start("node", None).await;
    let table = deployment.table(&server).await;
    table.publish(&server, "rows", ROWS).await.expect("a batch");
    assert_eq!(table.visible(&server).await, once(&[ROWS]));
    server.kill().await;
    reconcile(&deployment, "node");
    // The other way to prove who one is.
    deployment.set("CHANGTONG_KAFKA__MECHANISM", "PLAIN".to_owned());
    let (_, said) = deployment.command(&["doctor"], "node");
    assert!(said.contains("Kafka answers at localhost"), "{said}");
    deployment.done().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_refuses_is_said_by_name() {
    let Some((authority, broker)) = secured().await else { return };
    let stranger = Authority::new("a stranger");
    let cases = [
        (authority.pem(), "wrong", "does not take kafka.username", "不接受 kafka.username"),
        (stranger.pem(), "right", "no TLS connection to Kafka", "与 Kafka 的 TLS 连接失败"),
    ];
    // Each waits as long as a broker may take to answer: they do so beside each other.
    let cases = cases.map(|(ca, password, en, zh)| {
        let broker = &broker;
        async move {
            let mut deployment = Deployment::new(Pair::Embedded).await.expect("always there");
            calls(&mut deployment, broker, &ca, password);
            let mut server = deployment.spawn("node", None);
            assert_eq!(server.exit_code().await, 1);
            let said = server.said();
            assert!(said.contains("broker_unavailable") && said.contains(en) && said.contains(zh), "{said}");
            assert!(!said.contains("\"wrong\"") && !said.contains("password=wrong"), "{said}");
            let asked = [("en", en), ("zh_CN.UTF-8", zh)].map(async |(language, wanted)| {
                let (ok, said) =
                    deployment.command_in(language, &["doctor", "--output", "json"], "node").await;
                assert!(!ok && said.contains(wanted), "{said}");
            });
            futures::future::join_all(asked).await;
            deployment.done().await;
        }
    });
    futures::future::join_all(cases).await;
}
