//! The store as the bus side's ledger.

mod evidence;
mod keys;
mod positions;
mod publish;
mod races;
mod random;
mod settling;
mod windows;
pub mod world;
