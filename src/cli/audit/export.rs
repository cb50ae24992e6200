//! `changtong audit export`: the events as a file of lines.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use futures::TryStreamExt as _;

use super::super::failure::{Done, Failure};
use super::super::files::create;
use super::Filter;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    filter: Filter,
    /// Write them here; to standard output if not said. An existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub async fn run(export: &Export, client: &Client) -> Done {
    let failed = |error: std::io::Error| Failure::Failed(format!("the events could not be written: {error}"));
    let mut out: Box<dyn Write> = match &export.out {
        Some(path) => Box::new(create(path)?),
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let path = format!("/audit/events?{}", export.filter.query());
    let mut pieces = std::pin::pin!(client.lines(&path).await?);
    let mut lines = 0_u64;
    while let Some(piece) = pieces.try_next().await? {
        out.write_all(&piece).map_err(failed)?;
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    out.flush().map_err(failed)?;
    eprintln!("{lines} events");
    Ok(())
}
