//! What of a record leaves (protocol.md 8): filters on the stored record, then projection, masks and the row handle.
//! A `View` is a grant's terms compiled against the plan of the schema version that the grant holds.

use std::io::Write as _;
use std::sync::Arc;

use changtong_catalog::cell::Cell;
use changtong_catalog::error::Refusal;
use changtong_catalog::filter::{self, Filter, Truth};
use changtong_catalog::grant::Grant;
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{Generation, GrantNumber};
use changtong_catalog::mac::MacKey;
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::{AvroType, Item, Kind};

use super::line;
use super::plan::{Plan, undecodable};
use super::written::{Places, Stored};
use crate::log::LogRecord;

/// Key material of one grant.
#[derive(Debug, Clone)]
pub struct GrantKeys {
    /// Makes `k`.
    pub handle: HandleKey,
    /// Pseudonym key of the consumer agency: mask `hmac`.
    pub pseudonyms: MacKey,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// A line was written.
    Sent,
    /// Outside the grant by its key, outside the filter, or a delete line not wanted.
    Over,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub at: usize,
    pub mask: Option<Mask>,
}

/// A record that leaves: as an upsert with its values, or as a delete.
pub(super) struct Leaving<'r> {
    /// Its key's datum, of a table.
    pub key: Option<&'r [u8]>,
    pub upsert: Option<Stored<'r>>,
}

/// A grant compiled.
pub struct View {
    pub(super) plan: Arc<Plan>,
    pub(super) shown: Vec<Shown>,
    /// The same in the resource's order, which is that of the derived schema.
    pub(super) in_order: Vec<Shown>,
    filters: Vec<Filter>,
    /// Whether a filter names an item of the key: only then the key alone may say that a record is outside.
    by_key: bool,
    pub(super) keys: GrantKeys,
    pub(super) grant: GrantNumber,
    delete_lines: bool,
}

impl View {
    /// `items` are the plan's, as the catalog has them.
    pub fn compile(plan: Arc<Plan>, items: &[Item], grant: &Grant, keys: GrantKeys) -> Result<Self, Refusal> {
        // An item that the version held lacks is in no record of its shape, and in no derived schema.
        let shown = |name: &String| {
            let at = plan.index(name)?;
            Some(Shown { at, mask: grant.masks.get(name).copied() })
        };
        let shown = grant.items.iter().filter_map(shown).collect();
        let filters = [&grant.provider_filter, &grant.consumer_filter]
            .into_iter()
            .flatten()
            .map(|text| filter::parse(text)?.check(items))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let by_key = filters.iter().flat_map(Filter::items).any(|at| plan.fields[*at].key);
        let view = Self::over(plan, shown, keys);
        Ok(Self { filters, by_key, grant: grant.number, delete_lines: grant.delete_lines, ..view })
    }

    /// Everything of a resource, for its owner.
    #[must_use]
    pub fn whole(plan: Arc<Plan>, keys: GrantKeys) -> Self {
        let shown = (0..plan.fields.len()).map(|at| Shown { at, mask: None }).collect();
        Self::over(plan, shown, keys)
    }

    /// These items, of no grant and without filters.
    fn over(plan: Arc<Plan>, shown: Vec<Shown>, keys: GrantKeys) -> Self {
        let mut in_order = shown.clone();
        in_order.sort_by_key(|shown: &Shown| shown.at);
        let (filters, grant) = (Vec::new(), GrantNumber(0));
        Self { plan, shown, in_order, filters, by_key: false, keys, grant, delete_lines: true }
    }

    /// Appends the record's NDJSON line, or nothing if it is passed over. `deletes` is the subscription's wish.
    pub fn line(
        &self,
        generation: Generation,
        record: &LogRecord,
        deletes: bool,
        places: &mut Places,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Refusal> {
        let Some(leaving) = self.judge(record, deletes, places)? else { return Ok(Passed::Over) };
        self.put(generation, record, &leaving, out)?;
        Ok(Passed::Sent)
    }

    /// `None`: it is passed over.
    pub(super) fn judge<'r>(
        &'r self,
        record: &'r LogRecord,
        deletes: bool,
        places: &'r mut Places,
    ) -> Result<Option<Leaving<'r>>, Refusal> {
        let plan = &*self.plan;
        let key = record.key.as_ref().map(|framed| plan.key(framed)).transpose()?;
        let stored = match (&record.value, key) {
            (Some(framed), _) => Some(plan.value(framed)?),
            (None, key) => key,
        };
        let stored = match stored {
            Some((written, datum)) => {
                Some(places.find(written, &plan.fields, datum).ok_or_else(undecodable)?)
            }
            None => None,
        };
        let key = key.map(|(_, datum)| datum);
        if let (Some(stored), Some(_)) = (&stored, &record.value)
            && self.passes(stored)
        {
            return Ok(Some(Leaving { key, upsert: Some(*stored) }));
        }
        let as_delete = plan.kind == Kind::Table && deletes && self.delete_lines;
        let outside = || stored.as_ref().is_some_and(|stored| self.outside(stored));
        Ok((as_delete && !outside()).then_some(Leaving { key, upsert: None }))
    }

    fn passes(&self, stored: &Stored<'_>) -> bool {
        // A value that cannot be read is unknown, so the record does not pass.
        let cell = |at: usize| stored.cell(at).unwrap_or(Cell::Unknown);
        self.filters.iter().all(|filter| filter.judge(&cell) == Truth::True)
    }

    /// Whether the key alone, every other item unknown, makes a filter false: such a record counts nowhere.
    fn outside(&self, stored: &Stored<'_>) -> bool {
        let known = |at: usize| if self.plan.fields[at].key { stored.cell(at) } else { None };
        let cell = |at: usize| known(at).unwrap_or(Cell::Unknown);
        self.by_key && self.filters.iter().any(|filter| filter.judge(&cell) == Truth::False)
    }

    fn put(
        &self,
        generation: Generation,
        record: &LogRecord,
        Leaving { key, upsert }: &Leaving<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        put_id(generation, record, out);
        if self.plan.kind == Kind::Table {
            let key = key.ok_or_else(undecodable)?;
            out.extend_from_slice(if upsert.is_some() {
                br#","op":"upsert","k":""#
            } else {
                br#","op":"delete","k":""#
            });
            // Writing into a Vec does not fail.
            let _ = write!(out, "{}", self.keys.handle.handle(key));
            out.push(b'"');
        }
        out.extend_from_slice(br#","published_at":"#);
        line::put_timestamp(record.appended_ms, out);
        if let Some(stored) = upsert {
            out.extend_from_slice(br#","record":{"#);
            let start = out.len();
            for (place, shown) in self.shown.iter().enumerate() {
                let field = &self.plan.fields[shown.at];
                out.extend_from_slice(if place == 0 { field.label() } else { field.label_behind() });
                self.put_item(stored, shown, out).ok_or_else(undecodable)?;
            }
            if !line::is_text(&out[start..]) {
                return Err(undecodable());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn put_item(&self, stored: &Stored<'_>, shown: &Shown, out: &mut Vec<u8>) -> Option<()> {
        let Some(rule) = shown.mask else { return stored.print(shown.at, out) };
        match stored.cell(shown.at)? {
            Cell::Text(text) if self.plan.fields[shown.at].avro == AvroType::String => {
                line::put_made(out, |out| rule.apply(text, &self.keys.pseudonyms, out));
            }
            // A masked item of another type is null (protocol.md 8).
            _ => out.extend_from_slice(b"null"),
        }
        Some(())
    }
}

/// `{"id":"generation.partition.offset"`
pub(super) fn put_id(generation: Generation, record: &LogRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":""#);
    put_place(generation, record, out);
    out.push(b'"');
}

/// `generation.partition.offset`
pub(super) fn put_place(generation: Generation, record: &LogRecord, out: &mut Vec<u8>) {
    line::put_integer(i64::from(generation.0), out);
    out.push(b'.');
    line::put_integer(i64::from(record.partition), out);
    out.push(b'.');
    line::put_integer(record.offset, out);
}
