//! Records in motion: the gate, limits, the Avro codec, both log engines, sources and sinks and what runs them.
//! Knows the catalog's rules (never its store) and reaches the store through `changtong_catalog::ports` alone.

mod aside;
pub mod avro;
pub mod bus;
pub mod commit;
pub mod events;
pub mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod gate;
pub mod limit;
pub mod log;
pub mod metrics;
pub mod root;
pub mod runner;
pub mod sink;
pub mod source;
