//! Container files of any schema, nested ones too, for whoever looks at one or makes one: by apache-avro's trees of values,
//! which the records of resources never pass through. What apache-avro 0.22 would end the process by, or take gigabytes
//! for, it is not shown: a schema goes through our own parser first, a foreign datum over the scale.

mod json;
mod show;
mod tree;
mod weigh;
mod write;

#[cfg(test)]
mod tests;

pub use show::{schema_text, show};
pub use write::write;

use apache_avro::Schema as Parsed;
use changtong_catalog::avro::{self, Rules};
use changtong_catalog::error::Refusal;

use super::schema::{Schema, rejected};

/// A schema as both of us know it: apache-avro's is read from the text that our own parser writes.
struct Known {
    ours: Schema,
    theirs: Parsed,
    text: String,
}

impl Known {
    fn read(text: &[u8]) -> Result<Self, Refusal> {
        let ours = Schema::read(text)?;
        let text = std::str::from_utf8(text).unwrap_or_default();
        let text = avro::parse(text, Rules::FILE).map_err(|faults| faults.refusal(""))?.canonical();
        let theirs = Parsed::parse_str(&text).map_err(|error| {
            rejected(
                "",
                &format!("apache-avro 不能读取({error})"),
                &format!("apache-avro cannot read it ({error})"),
            )
        })?;
        Ok(Self { ours, theirs, text })
    }
}
