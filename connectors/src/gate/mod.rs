//! The single way in and out of the log: it decides, with reasons, and mints the permits the log asks for.

pub mod permit;

pub use permit::{Permit, PermitKind};
