//! The gate against a small store and log in memory, whose faults the tests choose.

mod copying;
mod delivering;
mod directory;
mod edge;
mod embedded;
mod ending;
mod fallen;
mod faults;
mod files;
mod generations;
mod growing;
mod log;
mod many;
mod model;
mod passing;
mod publishing;
mod quotas;
mod readers;
mod replaying;
mod settling;
mod state;
mod store;
mod streaming;
mod surveying;
mod versions;
pub(super) mod world;
