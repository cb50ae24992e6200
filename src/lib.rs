//! The service: settings, HTTP, background work and telemetry around the catalog and the connectors.

pub mod settings;
