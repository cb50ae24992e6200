//! The service: settings, HTTP, background work and telemetry around the catalog and the connectors.

pub mod clock;
pub mod keys;
pub mod node;
pub mod settings;
