//! `changtong avro`: container files of any schema, looked at and made on this machine, for whoever has no other tool at
//! hand. No server is asked.

mod show;
mod write;

use clap::{Args, Subcommand};

use super::failure::Done;

#[derive(Debug, Args)]
pub struct Avro {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the records of a container file as lines of JSON, or its schema
    Show(show::Show),
    /// Make a container file of lines of JSON
    Write(write::Write),
}

pub fn run(avro: &Avro) -> Done {
    match &avro.verb {
        Verb::Show(show) => show::run(show),
        Verb::Write(write) => write::run(write),
    }
}
