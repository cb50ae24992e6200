//! A delivered record as Avro (interface.md 6): what a container file of an answer holds, and the schema that says so.

use std::collections::BTreeMap;

use changtong_catalog::cell::Cell;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::Generation;
use changtong_catalog::resource::{AvroType, Kind};
use changtong_catalog::schema;

use super::binary::{put_bytes, put_long};
use super::plan::undecodable;
use super::view::{Leaving, Offsets, Passed, Shown, View};
use crate::log::LogRecord;

/// Branches of a field that may be null, and symbols of `op`.
const NULL: u8 = 0;
const VALUE: u8 = 2;
const UPSERT: u8 = 0;
const DELETE: u8 = 2;

impl View {
    /// The schema of what `datum` writes: `record` is of the grant's derived schema, null for a delete; a stream has no
    /// `op` and `k`.
    pub fn delivered_schema(&self) -> Result<String, Refusal> {
        let name = |shown: &Shown| self.plan.fields[shown.at].name.clone();
        let granted: Vec<String> = self.in_order.iter().map(name).collect();
        let masks: BTreeMap<_, _> =
            self.in_order.iter().filter_map(|shown| Some((name(shown), shown.mask?))).collect();
        let derived = schema::derived_schema(self.grant, &self.plan.items, &granted, &masks)?;
        let (operation, record) = match self.plan.kind {
            Kind::Stream => ("", derived),
            Kind::Table => (
                r#"{"name":"op","type":{"type":"enum","name":"Operation","symbols":["upsert","delete"]}},{"name":"k","type":"bytes"},"#,
                format!(r#"["null",{derived}],"default":null"#),
            ),
        };
        Ok(format!(
            r#"{{"type":"record","name":"Delivered","namespace":"ct.g{}","fields":[{{"name":"id","type":"string"}},{operation}{{"name":"published_at","type":{{"type":"long","logicalType":"timestamp-millis"}}}},{{"name":"record","type":{record}}}]}}"#,
            self.grant
        ))
    }

    /// Appends the record's datum, or nothing if it is passed over. `deletes` is the subscription's wish.
    pub fn datum(
        &self,
        generation: Generation,
        record: &LogRecord,
        deletes: bool,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Refusal> {
        let Some(Leaving { key, upsert }) = self.judge(record, deletes)? else { return Ok(Passed::Over) };
        let id = format!("{}.{}.{}", generation.0, record.partition, record.offset);
        put_bytes(id.as_bytes(), out);
        let table = self.plan.kind == Kind::Table;
        if table {
            out.push(if upsert.is_some() { UPSERT } else { DELETE });
            put_bytes(&self.keys.handle.handle(key.ok_or_else(undecodable)?).0, out);
        }
        put_long(record.appended_ms, out);
        if table {
            out.push(if upsert.is_some() { VALUE } else { NULL });
        }
        if let Some((datum, places)) = upsert {
            self.put_granted(datum, &places, out)?;
        }
        Ok(Passed::Sent)
    }

    fn put_granted(&self, datum: &[u8], places: &Offsets, out: &mut Vec<u8>) -> Result<(), Refusal> {
        for &Shown { at, mask } in &self.in_order {
            let field = &self.plan.fields[at];
            let Some(mask) = mask else {
                out.extend_from_slice(datum.get(places[at]..places[at + 1]).ok_or_else(undecodable)?);
                continue;
            };
            if field.avro != AvroType::String {
                // Masked, it is null (protocol.md 8).
                out.push(NULL);
                continue;
            }
            match self.cell(datum, places, at).ok_or_else(undecodable)? {
                Cell::Text(text) => {
                    if field.nullable {
                        out.push(VALUE);
                    }
                    put_bytes(mask.apply(text, &self.keys.pseudonyms).as_bytes(), out);
                }
                _ => out.push(NULL),
            }
        }
        Ok(())
    }
}
