//! The store as the bus side's ledger.

mod evidence;
mod fallen;
mod generations;
mod keys;
mod positions;
mod publish;
mod races;
mod random;
mod settling;
mod windows;
pub mod world;
