//! Avro schemas that anyone wrote: read as Java reads them (Avro 1.12), within limits; written in Java's form, in
//! Avro's parsing form, normalised. (`crate::schema` makes the texts of resources; this module reads any.)

mod canonical;
mod fault;
mod fingerprint;
pub mod json;
mod logical;
mod model;
mod normal;
mod parse;
mod path;
mod rules;

pub use fault::{Fault, Faults};
pub use logical::Logical;
pub use model::{Enum, Field, Id, Kind, Name, Named, Order, Primitive, Record, Schema, Type};
pub use parse::{parse, parse_with};
pub use rules::{
    MOST_ALIASES, MOST_BRANCHES, MOST_BYTES, MOST_DEPTH, MOST_FIELDS, MOST_NAME, MOST_NAMED, MOST_QUESTIONS,
    MOST_STEPS, MOST_SYMBOLS, Rules,
};

#[cfg(test)]
mod tests;
