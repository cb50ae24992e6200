//! `changtong serve`

use clap::Args;

use super::failure::{Done, Failure};
use super::{Configured, block_on};
use crate::app::App;
use crate::first_start::found_authority;
use crate::profiles::Profiles;
use crate::serve::Server;
use crate::telemetry::start_logging;

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    configured: Configured,
    /// For development: loopback only, and one account may submit and publish what it wrote itself
    #[arg(long)]
    dev: bool,
}

pub fn run(serve: &Serve) -> Done {
    let settings = serve.configured.load(serve.dev)?.settings;
    start_logging(&settings.telemetry)?;
    block_on(async {
        let app = App::open(settings).await?;
        let server = Server::start(app).await?;
        found_authority(&server.app, server.api, Profiles::usual_path()).await?;
        server.run().await.map_err(|fallen| Failure::Failed(format!("{}: {fallen}", fallen.code())))
    })
}
