//! Object container files (Avro 1.12, "Object Container Files"): foreign ones read with every length, count and nesting
//! checked before it is believed, our own written. apache-avro sees neither: it is the oracle in the tests, and in `any`
//! it reads what was checked and writes what people make.

pub mod any;
mod cursor;
mod file;
mod read;
mod resolve;
mod schema;
mod shown;
mod value;
mod walk;
mod window;
mod write;

#[cfg(test)]
mod tests;

pub use file::{Block, Codec, Layout};
pub(super) use read::read;
pub use shown::shown;
pub use window::Room;
pub use write::{alone, head, put_block};
