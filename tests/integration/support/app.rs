//! Starting and stopping the application.

use std::net::SocketAddr;
use std::path::Path;

use changtong::app::App;
use changtong::first_start::found_authority;
use changtong::profiles::Profiles;
use changtong::serve::Server;
use changtong::settings::Sources;
use changtong_catalog::store::testing::{Fresh, postgres};
use changtong_catalog::store::{Store, StoreConfig};
use tempfile::TempDir;

use super::checks;
use super::client::Client;

/// A pair of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// SQLite and the embedded log.
    Embedded,
    /// PostgreSQL and Apache Kafka.
    Production,
}

/// A running application. It must be stopped, which checks what it left behind.
pub struct TestApp {
    server: Option<Server>,
    fresh: Option<Fresh>,
    pub store: StoreConfig,
    pub api: SocketAddr,
    /// The Schema Registry's listener.
    pub registry: SocketAddr,
    pub operations: SocketAddr,
    /// The key of the built-in authority.
    pub authority: String,
    /// Goes with the application.
    _folder: TempDir,
}

impl TestApp {
    /// A fresh application with these settings besides the usual ones; `None` where the machine is declared to be
    /// without an engine of the pair.
    pub async fn start(pair: Pair, settings: &[(&str, &str)]) -> Option<Self> {
        Self::start_as(pair, settings, false).await
    }

    /// The same, `dev` as by `serve --dev`.
    pub async fn start_as(pair: Pair, settings: &[(&str, &str)], dev: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut environment = vec![
            ("CHANGTONG_HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("CHANGTONG_REGISTRY__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("CHANGTONG_OPERATIONS__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("CHANGTONG_HTTP__DRAIN".to_owned(), "5s".to_owned()),
            ("CHANGTONG_DATA__DIR".to_owned(), data.display().to_string()),
        ];
        let fresh = match pair {
            Pair::Embedded => None,
            Pair::Production => {
                let (fresh, production) = production().await?;
                environment.extend(production);
                Some(fresh)
            }
        };
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let sources = Sources { environment, dev, ..Sources::default() };
        let settings = sources.load().expect("the test's settings").settings;
        let store = match &fresh {
            Some(fresh) => fresh.config.clone(),
            None => StoreConfig {
                url: format!("sqlite:{}", data.join("catalog.db").display()),
                password: None,
                connections: 2,
            },
        };
        let app = App::open(settings).await.expect("the application opens");
        let server = Server::start(app).await.expect("its listeners open");
        let authority = first_key(&server, folder.path()).await;
        let (api, registry, operations) = (server.api, server.registry, server.operations);
        Some(Self {
            server: Some(server),
            fresh,
            store,
            api,
            registry,
            operations,
            authority,
            _folder: folder,
        })
    }

    /// A caller with that key.
    pub fn client(&self, key: &str) -> Client {
        Client::new(format!("http://{}", self.api), Some(key.to_owned()))
    }

    /// A caller without a key.
    pub fn nobody(&self) -> Client {
        Client::new(format!("http://{}", self.api), None)
    }

    /// A caller of the registry's own listener.
    pub fn registrant(&self, key: &str) -> Client {
        Client::new(format!("http://{}", self.registry), Some(key.to_owned()))
    }

    /// A caller of the operations listener.
    pub fn operator(&self) -> Client {
        Client::new(format!("http://{}", self.operations), None)
    }

    /// The application inside.
    pub fn app(&self) -> &App {
        &self.server.as_ref().expect("it runs").app
    }

    /// Stops it as a signal would, then checks that no window is open and that events and visible records agree.
    pub async fn stop(mut self) {
        let server = self.server.take().expect("it runs");
        server.stop().await;
        let store = Store::open(&self.store).await.expect("its store opens again");
        let complaints = checks::complaints(&store).await;
        store.close().await;
        if let Some(fresh) = self.fresh.take() {
            fresh.done().await;
        }
        assert!(complaints.is_empty(), "the application left behind: {complaints:#?}");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.server.is_some() && !std::thread::panicking() {
            panic!("a TestApp was dropped without `stop`, so nothing was checked");
        }
    }
}

/// The authority's key, from where the first start puts it.
async fn first_key(server: &Server, folder: &Path) -> String {
    let path = folder.join("profiles.toml");
    found_authority(&server.app, server.api, Some(path.clone())).await.expect("the authority is made");
    let profiles = Profiles::open(&path).expect("the profiles");
    profiles.get("authority").expect("the profile `authority`").key.clone()
}

/// A database of its own on the production engines, and the settings that name them; `None` where the machine is declared
/// to be without one of them.
pub async fn production() -> Option<(Fresh, Vec<(String, String)>)> {
    let brokers = kafka()?;
    let fresh = postgres().await?;
    let url = fresh.config.url.clone();
    let settings = [
        ("CHANGTONG_LOG__PREFIX", prefix(&url)),
        ("CHANGTONG_DATABASE__URL", url),
        ("CHANGTONG_KAFKA__BROKERS", brokers),
        ("CHANGTONG_KAFKA__REPLICATION_FACTOR", "1".to_owned()),
        ("CHANGTONG_KAFKA__MIN_INSYNC_REPLICAS", "1".to_owned()),
    ];
    Some((fresh, settings.map(|(name, value)| (name.to_owned(), value)).to_vec()))
}

/// The broker's address; `None` where the machine is declared to be without one.
pub fn kafka() -> Option<String> {
    engine("kafka", "CHANGTONG_TEST_KAFKA")
}

/// Where an engine is, as the variable says; `None` where the machine is declared to be without it.
#[expect(clippy::disallowed_methods, reason = "which engines a test run has is told by the environment")]
pub fn engine(name: &str, variable: &str) -> Option<String> {
    let without = std::env::var("CHANGTONG_TEST_WITHOUT").unwrap_or_default();
    if without.split(',').any(|engine| engine.trim() == name) {
        return None;
    }
    let place = std::env::var(variable);
    Some(place.unwrap_or_else(|_| {
        panic!("no {variable}: run `make test`, or source the env of `engines.sh up DIR`")
    }))
}

/// Topics of their own for each database: its name, and a random part so that a run never meets an earlier one's.
pub fn prefix(url: &str) -> String {
    use changtong_catalog::clock::Ids as _;
    let mut random = [0; 4];
    changtong::clock::SystemIds.fill(&mut random);
    let name = url.rsplit('/').next().unwrap_or_default();
    format!("{name}.{:08x}.", u32::from_be_bytes(random))
}
