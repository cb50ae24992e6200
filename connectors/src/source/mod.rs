//! Where an agency's records come from.

pub mod infer;
