//! The store as the bus side's ledger.

mod keys;
mod publish;
mod world;
