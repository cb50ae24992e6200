//! The catalog: what may be shared, by whom, under which rules (pure rules; no clock, randomness, network or file),
//! and, with the feature `store`, where it is remembered and the actions that change it.

pub mod account;
#[cfg(feature = "store")]
pub mod actions;
pub mod agency;
pub mod api_key;
pub mod audit;
pub mod avro;
pub mod cell;
pub mod clock;
pub mod codes;
pub mod compat;
pub mod connector;
pub mod cursor;
pub mod error;
pub mod evolution;
pub mod filter;
pub mod generation;
pub mod grant;
pub mod handle;
pub mod ids;
pub mod lifecycle;
pub mod literal;
pub mod mac;
pub mod mask;
pub mod partition;
pub mod ports;
mod problems;
pub mod quota;
pub mod registry;
pub mod request;
pub mod resource;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod schema;
#[cfg(feature = "store")]
pub mod store;
#[cfg(test)]
mod testing;
pub mod visibility;
pub mod visible;
pub mod window;
pub mod wording;
