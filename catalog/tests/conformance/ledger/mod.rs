//! The store as the bus side's ledger.

mod evidence;
mod keys;
mod positions;
mod publish;
mod settling;
mod windows;
mod world;
