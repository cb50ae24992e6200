//! `changtong avro show FILE`: what a container file holds.

use std::path::PathBuf;

use changtong_connectors::avro::container::any;
use clap::Args;

use super::super::failure::{Done, Failure};

#[derive(Debug, Args)]
pub struct Show {
    /// An Avro object container file of whatever schema, uncompressed or deflated
    file: PathBuf,
    /// The schema it was written with, instead of its records
    #[arg(long, conflicts_with = "limit")]
    schema: bool,
    /// The most records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub fn run(show: &Show) -> Done {
    let read = std::fs::read(&show.file);
    let file = read.map_err(|error| Failure::Failed(format!("{}: {error}", show.file.display())))?;
    if show.schema {
        println!("{}", any::schema_text(&file)?);
        return Ok(());
    }
    let mut print = |line: &[u8]| {
        println!("{}", String::from_utf8_lossy(line));
        Ok(())
    };
    any::show(&file, show.limit.unwrap_or(u64::MAX), &mut print)?;
    Ok(())
}
