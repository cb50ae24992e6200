//! `changtong completions SHELL`: a script that completes commands and flags.

use clap::Args;
use clap_complete::Shell;

use super::failure::Done;
use super::groups;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that reads the script
    shell: Shell,
}

pub fn run(completions: &Completions) -> Done {
    clap_complete::generate(completions.shell, &mut groups::command(), "changtong", &mut std::io::stdout());
    Ok(())
}
