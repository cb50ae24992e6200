//! `changtong connector run FILE`

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::connector::Process;
use changtong_connectors::root::Root;
use changtong_connectors::runner::ConnectorSpec;
use clap::Args;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::super::block_on;
use super::super::connection::{Connection, USUAL, trust};
use super::super::failure::{Done, Failure};
use super::super::files::read_toml;
use crate::app::StartError;
use crate::client::Client;
use crate::clock::{MachineClock, SystemIds};
use crate::connectors::own::{self, Own, OwnMetrics, StateFile};
use crate::http::listener::{ConnectionLimits, Doors, Serving, serve};
use crate::http::process_router;
use crate::http::slow::Slow;
use crate::serve::{address, asked_to_stop, bind};
use crate::settings::{LineFormat, Telemetry};
use crate::telemetry::{Metrics, start_logging};

#[derive(Debug, Args)]
pub(super) struct Run {
    /// A connector file with process = "own"
    file: PathBuf,
    /// Folder that its paths begin in; the folder of the file if not said
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The one file that it keeps for itself; beside the file, NAME.state, if not said
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Answer Prometheus at /metrics on this address, such as 127.0.0.1:9465
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// How log lines look on standard error
    #[arg(long, value_enum, default_value_t = Lines::Text)]
    log: Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Lines {
    Text,
    Json,
}

/// Of the page for Prometheus.
const PAGE: ConnectionLimits =
    ConnectionLimits { connections: 16, head_within: Duration::from_secs(10), head: 64 << 10 };

pub(super) fn run(run: &Run, server: &Connection) -> Done {
    let format = if run.log == Lines::Json { LineFormat::Json } else { LineFormat::Text };
    start_logging(&Telemetry { format, filter: "info".to_owned() })?;
    let (file, spec) = read(&run.file)?;
    let folder = folder(&run.file);
    let root = run.root.clone().unwrap_or_else(|| folder.clone());
    if !root.is_dir() {
        return Err(Failure::Failed(format!(
            "{}: there is no such folder; the paths of {} begin there (--root names another)",
            root.display(),
            run.file.display()
        )));
    }
    let profile = server.profile_of(&[USUAL])?;
    // What is refused is shown to people of either language; the runner itself tries again.
    // What is said beside the file outweighs it.
    let ca = profile.ca.clone().or_else(|| spec.ca.as_ref().map(|ca| folder.join(ca)));
    let trust = trust(ca.as_deref())?;
    let client = Client::trusting(&profile.url, &profile.key, "mul", trust);
    let client = client.map_err(|e| Failure::Usage(e.to_string()))?;
    let client = client.with_patience(Duration::ZERO);
    let state = run.state.clone().unwrap_or_else(|| run.file.with_extension("state"));
    let state = StateFile::open(&state, client.url(), &spec.name, &SystemIds)?;
    let metrics = OwnMetrics::new().map_err(|error| Failure::Failed(format!("metrics: {error}")))?;
    let own = Own {
        root: Root::open(&root)?,
        clock: Arc::new(MachineClock::start()),
        ids: Arc::new(SystemIds),
        client,
        spec,
        file,
        folder,
        state,
        metrics,
    };
    block_on(serving(own, run.metrics))
}

async fn serving(own: Own, page: Option<SocketAddr>) -> Done {
    let serving = match page {
        Some(address) => Some(open(address, &own.metrics)?),
        None => None,
    };
    tracing::info!(name = own.spec.name, server = own.client.url(), state = %own.state.path().display(), "started");
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        asked_to_stop().await;
        tracing::info!("stopping");
        asked.cancel();
    });
    let outcome = own::run(own, stop).await;
    if let Some(serving) = serving {
        serving.stop();
    }
    Ok(outcome?)
}

fn open(wanted: SocketAddr, metrics: &OwnMetrics) -> Result<Serving, Failure> {
    let inside = match wanted.ip() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    if !inside {
        return Err(Failure::Usage(format!(
            "--metrics {wanted}: the page asks no credentials; name a loopback or private address, such as 127.0.0.1:9465"
        )));
    }
    let listener = match bind(wanted) {
        Ok(listener) => listener,
        Err(StartError::Listen { error, .. }) => {
            return Err(Failure::Failed(format!("--metrics {wanted}: {error}; choose another address")));
        }
        Err(other) => return Err(other.into()),
    };
    tracing::info!(address = %address(&listener)?, "metrics at /metrics");
    // A page as small as this one is counted nowhere when its reader stops.
    let uncounted = Metrics::new().map_err(|error| Failure::Failed(format!("metrics: {error}")))?.http;
    let slow = Slow::new(PAGE.head_within, uncounted);
    Ok(serve(
        listener,
        Doors { router: process_router(metrics.clone()), limits: PAGE, slow, crowd: None, alive: None },
    ))
}

/// The file as a value and as what it says.
fn read(path: &Path) -> Done<(Value, ConnectorSpec)> {
    let file: Value = read_toml(path)?;
    let spec = ConnectorSpec::from_value(&file)
        .map_err(|refusal| Failure::from(refusal).and(format!("in {}", path.display())))?;
    if spec.process != Process::Own {
        return Err(Failure::Failed(format!(
            "{}: the server runs this connector (`connector apply`); to run it here, write process = \"own\" into it",
            path.display()
        )));
    }
    Ok((file, spec))
}

/// The folder that a file lies in.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
