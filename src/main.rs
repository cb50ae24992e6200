//! The `changtong` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    changtong::cli::main()
}
