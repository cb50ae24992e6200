//! Log lines: text for people, JSON for collectors, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LineFormat, Telemetry};

/// Sets up the log of the process, once.
pub fn start(settings: &Telemetry) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| format!("telemetry.filter: {}: {error}", settings.filter))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.format {
        LineFormat::Text => lines.finish().try_init(),
        LineFormat::Json => lines.json().finish().try_init(),
    }
    .map_err(|error| error.to_string())
}
