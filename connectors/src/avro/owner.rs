//! The line an owner reads of its own resource, and the one that deletes a row.

use bytes::Bytes;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::Generation;

use super::line;
use super::plan::{Plan, undecodable};
use super::view::put_id;
use super::written::{Places, Stored};
use crate::log::LogRecord;

impl Plan {
    /// Every item of the record, of a delete those of its key; no handle.
    pub fn owner_line(
        &self,
        generation: Generation,
        record: &LogRecord,
        places: &mut Places,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        put_id(generation, record, out);
        let op: &[u8] = if record.value.is_some() { br#","op":"upsert""# } else { br#","op":"delete""# };
        out.extend_from_slice(op);
        out.extend_from_slice(br#","published_at":"#);
        line::put_timestamp(record.appended_ms, out);
        out.extend_from_slice(br#","record":{"#);
        match (&record.value, &record.key) {
            (Some(value), _) => {
                let (written, datum) = self.value(value)?;
                let stored = places.find(written, &self.fields, datum).ok_or_else(undecodable)?;
                self.put_items(&stored, 0..self.fields.len(), out)?;
            }
            (None, Some(key)) => self.put_key(key, places, out)?,
            (None, None) => return Err(undecodable()),
        }
        out.extend_from_slice(b"}}\n");
        Ok(())
    }

    /// `{"$op":"delete", …key items…}` from a framed key, as a publish takes it.
    pub fn delete_line(&self, key: &Bytes, out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend_from_slice(br#"{"$op":"delete","#);
        self.put_key(key, &mut Places::default(), out)?;
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn put_key(&self, key: &Bytes, places: &mut Places, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (written, datum) = self.key(key)?;
        let stored = places.find(written, &self.fields, datum).ok_or_else(undecodable)?;
        self.put_items(&stored, self.key.iter().copied(), out)
    }

    fn put_items(
        &self,
        stored: &Stored<'_>,
        items: impl Iterator<Item = usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let start = out.len();
        for (place, at) in items.enumerate() {
            let field = &self.fields[at];
            out.extend_from_slice(if place == 0 { field.label() } else { field.label_behind() });
            stored.print(at, out).ok_or_else(undecodable)?;
        }
        if line::is_text(&out[start..]) { Ok(()) } else { Err(undecodable()) }
    }
}
