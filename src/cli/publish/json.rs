//! NDJSON and JSON arrays as requests of NDJSON lines; a member may have an item's title for its name.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};

use changtong_catalog::resource::Item;
use serde_json::value::RawValue;

use super::super::failure::{Done, Failure};
use super::Input;
use super::chunk::{Chunk, MOST_BYTES};

pub struct Chunks<'a> {
    lines: Box<dyn Iterator<Item = Done<Vec<u8>>> + 'a>,
    items: &'a [Item],
    batch: u32,
    first: u64,
    read: u64,
    waiting: Option<Vec<u8>>,
    ended: bool,
}

impl<'a> Chunks<'a> {
    pub fn of_lines(mut input: Input, items: &'a [Item], batch: u32) -> Self {
        let lines = std::iter::from_fn(move || {
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(_) => Some(Ok(line)),
                Err(error) => Some(Err(Failure::Failed(format!("the file cannot be read: {error}")))),
            }
        });
        Self::over(Box::new(lines), items, batch)
    }

    /// An array is read whole.
    pub fn of_array(mut input: Input, items: &'a [Item], batch: u32) -> Done<Self> {
        let mut text = String::new();
        input
            .read_to_string(&mut text)
            .map_err(|error| Failure::Failed(format!("the file cannot be read: {error}")))?;
        let records: Vec<Box<RawValue>> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| Failure::Failed(format!("the file is not a JSON array: {error}")))?;
        // A record of an array may span lines; as NDJSON it may not.
        let lines =
            records.into_iter().map(|record| Ok(record.get().replace(['\n', '\r'], " ").into_bytes()));
        Ok(Self::over(Box::new(lines), items, batch))
    }

    fn over(lines: Box<dyn Iterator<Item = Done<Vec<u8>>> + 'a>, items: &'a [Item], batch: u32) -> Self {
        Self { lines, items, batch, first: 0, read: 0, waiting: None, ended: false }
    }

    fn chunk(&mut self) -> Done<Option<Chunk>> {
        let mut body = Vec::new();
        let mut rows = 0_u32;
        while rows < self.batch {
            let line = match self.waiting.take() {
                Some(waiting) => waiting,
                None => match self.lines.next().transpose()? {
                    None => {
                        self.ended = true;
                        break;
                    }
                    Some(line) => {
                        self.read += line.len() as u64;
                        self.named(line.trim_ascii())
                    }
                },
            };
            if line.is_empty() {
                continue;
            }
            if rows > 0 && body.len() + line.len() > MOST_BYTES {
                self.waiting = Some(line);
                break;
            }
            body.extend_from_slice(&line);
            body.push(b'\n');
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let chunk = Chunk {
            media_type: "application/x-ndjson",
            body: body.into(),
            first: self.first,
            read: self.read,
        };
        self.first += u64::from(rows);
        Ok(Some(chunk))
    }

    /// The line with names of items for its members. What is no object goes as it is: the server says what is wrong.
    fn named(&self, line: &[u8]) -> Vec<u8> {
        let Ok(record) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else {
            return line.to_vec();
        };
        let known = |name: &String| name == "$op" || self.items.iter().any(|item| item.name == *name);
        if record.keys().all(known) {
            return line.to_vec();
        }
        let named =
            record.into_iter().map(|(name, value)| match self.items.iter().find(|item| item.title == name) {
                Some(item) if !known(&name) => (item.name.clone(), value),
                _ => (name, value),
            });
        serde_json::to_vec(&named.collect::<BTreeMap<_, _>>()).unwrap_or_else(|_| line.to_vec())
    }
}

impl Iterator for Chunks<'_> {
    type Item = Done<Chunk>;

    fn next(&mut self) -> Option<Done<Chunk>> {
        if self.ended {
            return None;
        }
        let chunk = self.chunk();
        self.ended |= chunk.is_err();
        chunk.transpose()
    }
}
