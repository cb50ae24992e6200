//! `changtong serve`

use clap::Args;

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

pub fn run(serve: &Serve) -> Result<(), String> {
    let settings = serve.configured.load(serve.dev).map_err(|error| error.to_string())?.settings;
    start_logging(&settings.telemetry)?;
    block_on(async {
        let app = App::open(settings).await.map_err(|error| error.to_string())?;
        let server = Server::start(app).await.map_err(|error| error.to_string())?;
        found_authority(&server.app, server.api, Profiles::usual_path())
            .await
            .map_err(|refusal| refusal.to_string())?;
        if server.run().await {
            Ok(())
        } else {
            Err("the server lost its lease on the database and ended".to_owned())
        }
    })
}
