//! `changtong schema`: whether a change of schema breaks anyone, asked before it is made.

mod check;

use clap::{Args, Subcommand};

use super::block_on;
use super::connection::Connection;
use super::failure::Done;

#[derive(Debug, Args)]
pub struct Schema {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What a changed file would break, and for whom; exit code 4 if it breaks anything (1: it could not be asked)
    Check(check::Check),
}

pub fn run(schema: &Schema) -> Done {
    block_on(async {
        let (client, output) = (schema.server.client()?, schema.server.output);
        match &schema.verb {
            Verb::Check(check) => check::run(check, &client, output).await,
        }
    })
}
