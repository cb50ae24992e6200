//! The service: settings, HTTP, background work and telemetry around the catalog and the connectors.

pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod connectors;
mod core_dump;
pub mod first_start;
mod generation;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod node;
mod own_records;
pub mod profiles;
pub mod refusals;
pub mod serve;
pub mod settings;
pub mod telemetry;
pub mod uses;
mod wiring;
