//! What of a record leaves (protocol.md 8): filters on the stored record, then projection, masks and the row handle.
//! A `View` is a grant's terms compiled against the plan of the resource.

use std::io::Write as _;
use std::sync::Arc;

use changtong_catalog::cell::Cell;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::filter::{self, Filter, Truth};
use changtong_catalog::grant::Grant;
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{Generation, GrantNumber};
use changtong_catalog::mac::MacKey;
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::{AvroType, Kind};

use super::binary::{self, Reader};
use super::line;
use super::plan::{Field, Plan, undecodable};
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

/// A record that leaves: as an upsert with its datum, or as a delete.
pub(super) struct Leaving<'r> {
    pub key: Option<&'r [u8]>,
    pub upsert: Option<(&'r [u8], Offsets)>,
}

/// A grant compiled.
pub struct View {
    pub(super) plan: Arc<Plan>,
    pub(super) shown: Vec<Shown>,
    /// The same in the resource's order, which is that of the derived schema.
    pub(super) in_order: Vec<Shown>,
    filters: Vec<Filter>,
    pub(super) keys: GrantKeys,
    pub(super) grant: GrantNumber,
    delete_lines: bool,
    /// The last item any step looks at; the walk ends there.
    reach: usize,
}

/// Places of the items within one datum, and of its end.
pub(super) type Offsets = Vec<usize>;

impl View {
    pub fn compile(plan: Arc<Plan>, grant: &Grant, keys: GrantKeys) -> Result<Self, Refusal> {
        let shown = grant
            .items
            .iter()
            .map(|name| {
                let at = plan.index(name).ok_or_else(|| stale(name))?;
                Ok(Shown { at, mask: grant.masks.get(name).copied() })
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        let filters = [&grant.provider_filter, &grant.consumer_filter]
            .into_iter()
            .flatten()
            .map(|text| filter::parse(text)?.check(&plan.items))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let view = Self::over(plan, shown, keys);
        Ok(Self { filters, grant: grant.number, delete_lines: grant.delete_lines, ..view })
    }

    /// Everything of a resource, for its owner.
    pub fn whole<'i>(
        plan: Arc<Plan>,
        items: impl Iterator<Item = &'i str>,
        keys: GrantKeys,
    ) -> Result<Self, Refusal> {
        let shown =
            items.map(|name| Ok(Shown { at: plan.index(name).ok_or_else(|| stale(name))?, mask: None }));
        let shown = shown.collect::<Result<Vec<_>, Refusal>>()?;
        Ok(Self::over(plan, shown, keys))
    }

    /// These items, of no grant and without filters.
    fn over(plan: Arc<Plan>, shown: Vec<Shown>, keys: GrantKeys) -> Self {
        let mut in_order = shown.clone();
        in_order.sort_by_key(|shown: &Shown| shown.at);
        let (reach, grant) = (plan.fields.len(), GrantNumber(0));
        Self { plan, shown, in_order, filters: Vec::new(), keys, grant, delete_lines: true, reach }
    }

    /// Appends the record's NDJSON line, or nothing if it is passed over. `deletes` is the subscription's wish.
    pub fn line(
        &self,
        generation: Generation,
        record: &LogRecord,
        deletes: bool,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Refusal> {
        let Some(leaving) = self.judge(record, deletes)? else { return Ok(Passed::Over) };
        self.put(generation, record, leaving, out)?;
        Ok(Passed::Sent)
    }

    /// `None`: it is passed over.
    pub(super) fn judge<'r>(
        &self,
        record: &'r LogRecord,
        deletes: bool,
    ) -> Result<Option<Leaving<'r>>, Refusal> {
        let table = self.plan.kind == Kind::Table;
        let key = self.key(record)?;
        let value = record.value.as_ref().map(|framed| self.plan.datum(framed)).transpose()?;
        let places = value.map(|datum| self.places(datum)).transpose()?;
        if self.outside(key, value, places.as_ref())? {
            return Ok(None);
        }
        let passes = match (value, &places) {
            (Some(datum), Some(places)) => self.passes(datum, places)?,
            _ => false,
        };
        let as_delete = table && deletes && self.delete_lines;
        if !passes && !as_delete {
            return Ok(None);
        }
        let upsert = if passes { value.zip(places) } else { None };
        Ok(Some(Leaving { key, upsert }))
    }

    fn key<'r>(&self, record: &'r LogRecord) -> Result<Option<&'r [u8]>, Refusal> {
        let Some(framed) = &record.key else { return Ok(None) };
        match (binary::unframe(framed), self.plan.key_schema) {
            (Some((id, datum)), Some(schema)) if id == schema.0 => Ok(Some(datum)),
            _ => Err(undecodable()),
        }
    }

    fn places(&self, datum: &[u8]) -> Result<Offsets, Refusal> {
        let mut places = Vec::with_capacity(self.reach + 1);
        let mut reader = Reader { bytes: datum, at: 0 };
        for field in &self.plan.fields[..self.reach] {
            places.push(reader.at);
            reader.skip(field).ok_or_else(undecodable)?;
        }
        places.push(reader.at);
        Ok(places)
    }

    pub(super) fn cell<'a>(&self, datum: &'a [u8], places: &Offsets, at: usize) -> Option<Cell<'a>> {
        Reader { bytes: datum, at: places[at] }.cell(&self.plan.fields[at])
    }

    /// Whether the key alone, every other item unknown, makes a filter false: such a record counts nowhere.
    fn outside(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        places: Option<&Offsets>,
    ) -> Result<bool, Refusal> {
        if self.filters.is_empty() {
            return Ok(false);
        }
        let key_cells = match (value, places, key) {
            (Some(datum), Some(places), _) => {
                self.plan.key.iter().map(|&at| (at, self.cell(datum, places, at))).collect::<Vec<_>>()
            }
            (_, _, Some(key)) => self.key_cells(key)?,
            _ => Vec::new(),
        };
        let known = |at: usize| {
            let found = key_cells.iter().find(|(index, _)| *index == at);
            found.and_then(|(_, cell)| *cell).unwrap_or(Cell::Unknown)
        };
        Ok(self.filters.iter().any(|filter| filter.judge(&known) == Truth::False))
    }

    fn key_cells<'k>(&self, key: &'k [u8]) -> Result<Vec<(usize, Option<Cell<'k>>)>, Refusal> {
        let mut reader = Reader { bytes: key, at: 0 };
        let next = |&at: &usize| Ok((at, Some(reader.cell(&self.plan.fields[at]).ok_or_else(undecodable)?)));
        self.plan.key.iter().map(next).collect()
    }

    fn passes(&self, datum: &[u8], places: &Offsets) -> Result<bool, Refusal> {
        // A value that cannot be read is unknown, so the record does not pass; the projection then reports it.
        let cell = |at: usize| self.cell(datum, places, at).unwrap_or(Cell::Unknown);
        Ok(self.filters.iter().all(|filter| filter.judge(&cell) == Truth::True))
    }

    fn put(
        &self,
        generation: Generation,
        record: &LogRecord,
        Leaving { key, upsert }: Leaving<'_>,
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
        if let Some((datum, places)) = upsert {
            out.extend_from_slice(br#","record":{"#);
            for (place, shown) in self.shown.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                let field = &self.plan.fields[shown.at];
                let cell = self.cell(datum, &places, shown.at).ok_or_else(undecodable)?;
                out.extend_from_slice(&field.label);
                self.put_item(field, shown.mask, &cell, out);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn put_item(&self, field: &Field, rule: Option<Mask>, cell: &Cell<'_>, out: &mut Vec<u8>) {
        match (rule, cell) {
            (None, cell) => line::put_cell(field, cell, out),
            (Some(rule), Cell::Text(text)) if field.avro == AvroType::String => {
                line::put_text(&rule.apply(text, &self.keys.pseudonyms), out);
            }
            // A masked item of another type is null (protocol.md 8).
            (Some(_), _) => out.extend_from_slice(b"null"),
        }
    }
}

impl Plan {
    /// The line an owner reads of its own resource: every item, no handle.
    pub fn owner_line(
        &self,
        generation: Generation,
        record: &LogRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        put_id(generation, record, out);
        let op: &[u8] = if record.value.is_some() { br#","op":"upsert""# } else { br#","op":"delete""# };
        out.extend_from_slice(op);
        out.extend_from_slice(br#","published_at":"#);
        line::put_timestamp(record.appended_ms, out);
        out.extend_from_slice(br#","record":{"#);
        match (&record.value, &record.key) {
            (Some(value), _) => self.put_items(0..self.fields.len(), self.datum(value)?, out)?,
            (None, Some(key)) => {
                let datum = binary::unframe(key).map(|(_, datum)| datum).ok_or_else(undecodable)?;
                self.put_items(self.key.iter().copied(), datum, out)?;
            }
            (None, None) => return Err(undecodable()),
        }
        out.extend_from_slice(b"}}\n");
        Ok(())
    }

    pub(super) fn put_items(
        &self,
        items: impl Iterator<Item = usize>,
        datum: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let mut reader = Reader { bytes: datum, at: 0 };
        for (place, at) in items.enumerate() {
            if place > 0 {
                out.push(b',');
            }
            let field = &self.fields[at];
            out.extend_from_slice(&field.label);
            line::put_cell(field, &reader.cell(field).ok_or_else(undecodable)?, out);
        }
        Ok(())
    }
}

/// `{"id":"generation.partition.offset"`
fn put_id(generation: Generation, record: &LogRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":""#);
    line::put_integer(i128::from(generation.0), out);
    out.push(b'.');
    line::put_integer(i128::from(record.partition), out);
    out.push(b'.');
    line::put_integer(i128::from(record.offset), out);
    out.push(b'"');
}

fn stale(name: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("授权中的信息项 {name} 已不在资源中"),
        format!("the grant names the item {name}, which the resource no longer has"),
    )
}
