//! Whether a new schema breaks anyone: Java's reader and writer rules, the seven levels of a schema registry, and the
//! house's own policy on top, for what Avro lets pass and a person would not.

mod answer;
mod difference;
mod house;
mod level;
mod place;
mod read;
mod work;

pub use difference::{Difference, Kind};
pub use house::{Change, Meaning};
pub use level::{Break, Level, Policy, breaks, breaks_with};
pub use read::{Reading, read, read_within};
pub use work::Work;

#[cfg(test)]
mod tests;
