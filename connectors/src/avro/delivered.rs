//! A delivered record as Avro (interface.md 6): what a container file of an answer holds, and the schema that says so.

use changtong_catalog::cell::Cell;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::Generation;
use changtong_catalog::resource::{AvroType, Kind};

use super::binary::{put_bytes, put_long, put_made};
use super::plan::undecodable;
use super::scalar::{NULL, VALUE};
use super::view::{Leaving, Passed, Shown, View, put_place};
use super::written::{Places, Stored};
use crate::log::LogRecord;

/// Symbols of `op`.
const UPSERT: u8 = 0;
const DELETE: u8 = 2;

impl View {
    /// The schema of what `datum` writes: `record` is of the schema that the grant holds, null for a delete; a stream
    /// has no `op` and `k`.
    #[must_use]
    pub fn delivered_schema(&self, derived: &str) -> String {
        let (operation, record) = match self.plan.kind {
            Kind::Stream => ("", derived.to_owned()),
            Kind::Table => (
                r#"{"name":"op","type":{"type":"enum","name":"Operation","symbols":["upsert","delete"]}},{"name":"k","type":"bytes"},"#,
                format!(r#"["null",{derived}],"default":null"#),
            ),
        };
        format!(
            r#"{{"type":"record","name":"Delivered","namespace":"ct.g{}","fields":[{{"name":"id","type":"string"}},{operation}{{"name":"published_at","type":{{"type":"long","logicalType":"timestamp-millis"}}}},{{"name":"record","type":{record}}}]}}"#,
            self.grant
        )
    }

    /// Appends the record's datum, or nothing if it is passed over. `deletes` is the subscription's wish.
    pub fn datum(
        &self,
        generation: Generation,
        record: &LogRecord,
        deletes: bool,
        places: &mut Places,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Refusal> {
        let Some(leaving) = self.judge(record, deletes, places)? else { return Ok(Passed::Over) };
        let Leaving { key, upsert } = leaving;
        put_made(out, |out| put_place(generation, record, out));
        let table = self.plan.kind == Kind::Table;
        if table {
            out.push(if upsert.is_some() { UPSERT } else { DELETE });
            put_bytes(&self.keys.handle.handle(key.ok_or_else(undecodable)?).0, out);
        }
        put_long(record.appended_ms, out);
        if table {
            out.push(if upsert.is_some() { VALUE } else { NULL });
        }
        if let Some(stored) = upsert {
            for shown in &self.in_order {
                self.put_granted(&stored, shown, out).ok_or_else(undecodable)?;
            }
        }
        Ok(Passed::Sent)
    }

    fn put_granted(&self, stored: &Stored<'_>, shown: &Shown, out: &mut Vec<u8>) -> Option<()> {
        let Shown { at, mask } = *shown;
        let Some(mask) = mask else { return stored.copy(at, out) };
        let field = &self.plan.fields[at];
        if field.avro != AvroType::String {
            // Masked, it is null (protocol.md 8).
            out.push(NULL);
            return Some(());
        }
        match stored.cell(at)? {
            Cell::Text(text) => {
                if field.nullable {
                    out.push(VALUE);
                }
                put_made(out, |out| mask.apply(text, &self.keys.pseudonyms, out));
            }
            _ => out.push(NULL),
        }
        Some(())
    }
}
