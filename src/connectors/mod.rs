//! Connectors: the server runs what its store holds, each under the account that applied it; `own` runs one in a process
//! of its own.
//!
//! Every agency has a folder of its own below `connectors.root`, named by its credit code: no agency's connector
//! touches another's files. Passwords lie in the same way below `connectors.secrets`, and sinks reach no database that
//! `connectors.databases` does not name.

mod account;
mod bus;
mod manager;
pub mod own;
mod report;
mod surroundings;

pub use manager::{Manager, run};
pub use surroundings::agency_folder;
