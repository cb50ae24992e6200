//! The rules of the registry, each by itself.

mod contents;
mod decisions;
mod lookups;
mod names;

use crate::avro::{self, Rules, Schema};

fn schema(text: &str) -> Schema {
    avro::parse(text, Rules::FREE).unwrap()
}
