//! The SQL sink: keeps a table of SQLite or PostgreSQL equal to what the grant shows.
//!
//! | what | how |
//! |---|---|
//! | a row of a table | by its handle: `_k` (primary key), `_id`, `_published_at`, then the granted items |
//! | a line of a stream | by its record id: `_id` (primary key), `_published_at`, items |
//! | the cursor | `changtong_cursor`, changed by compare-and-set in the transaction of the rows; its `epoch` is raised by each start, so that an earlier writer that still lives changes nothing any more |
//! | an older line | is left out: a line is applied only if its offset is above the row's |
//! | a new view | the table is emptied in the transaction of its first batch |

mod cell;
mod cursor;
mod opened;
mod refusals;
mod rows;
mod spec;
mod table;
mod target;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use changtong_catalog::error::Refusal;
use changtong_catalog::resource::Kind;

pub use rows::rows;
pub use spec::SqlSinkSpec;

use super::{Batch, Line, Op, RecordId, Sink, Written};
use crate::bus::Subscribed;
use crate::root::Root;
use crate::runner::Surroundings;
use cell::Cell;
use cursor::Cursor;
use table::Table;
use target::Target;

pub struct SqlSink {
    spec: SqlSinkSpec,
    root: Root,
    surroundings: Arc<dyn Surroundings>,
    open: Option<Open>,
}

struct Open {
    target: Target,
    table: Table,
    cursor: Cursor,
}

impl SqlSink {
    #[must_use]
    pub fn new(spec: SqlSinkSpec, root: Root, surroundings: Arc<dyn Surroundings>) -> Self {
        Self { spec, root, surroundings, open: None }
    }
}

#[async_trait]
impl Sink for SqlSink {
    async fn open(&mut self, subscribed: &Subscribed, resets: i32) -> Result<Option<String>, Refusal> {
        if subscribed.kind == Kind::Table && !subscribed.deletes {
            return Err(refusals::without_deletes());
        }
        let mut target = self.spec.connect(&self.root, &*self.surroundings).await?;
        let table = Table::new(&self.spec.table, subscribed, target.engine())?;
        let was_there = table.prepare(&mut target).await?;
        let (cursor, held) = Cursor::take(&mut target, subscribed.id, &self.spec.table, resets).await?;
        self.open = Some(Open { target, table, cursor });
        // A table that somebody dropped is no copy, whatever the cursor says.
        Ok(held.filter(|_| was_there))
    }

    async fn apply(&mut self, batch: &Batch<'_>) -> Result<Written, Refusal> {
        // Given back only if all went well: else the connection is given up with its transaction.
        let mut open = self.open.take().ok_or_else(refusals::not_open)?;
        open.target.begin().await?;
        let written = open.write(batch).await?;
        open.target.commit().await?;
        open.cursor.moved(batch.next);
        self.open = Some(open);
        Ok(written)
    }
}

impl Open {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written, Refusal> {
        self.cursor.advance(&mut self.target, batch.next).await?;
        if batch.begins {
            self.table.empty(&mut self.target).await?;
        }
        match self.table.kind {
            Kind::Table => self.write_rows(batch.lines).await,
            Kind::Stream => self.table.append(&mut self.target, batch.lines).await,
        }
    }

    async fn write_rows(&mut self, lines: &[Line]) -> Result<Written, Refusal> {
        let mut latest: HashMap<&str, (RecordId, &Line)> = HashMap::with_capacity(lines.len());
        for line in lines {
            let k = line.k.as_deref().ok_or_else(super::line::garbled)?;
            let id = RecordId::parse(&line.id)?;
            let newest = latest.entry(k).or_insert((id, line));
            if id >= newest.0 {
                *newest = (id, line);
            }
        }
        let keys: Vec<&str> = latest.keys().copied().collect();
        for (k, held) in self.table.held(&mut self.target, &keys).await? {
            // One key has one partition, so its offsets can be compared.
            if let Ok(held) = RecordId::parse(&held)
                && latest.get(k.as_str()).is_some_and(|(id, _)| *id <= held)
            {
                latest.remove(k.as_str());
            }
        }
        let newest =
            |op: Op| latest.values().filter(move |(_, line)| line.op == Some(op)).map(|(_, line)| *line);
        let gone: Vec<Cell> = newest(Op::Delete).map(|line| Cell::Text(line.k.clone())).collect();
        let upserts: Vec<&Line> = newest(Op::Upsert).collect();
        let deletes = self.table.delete(&mut self.target, gone).await?;
        let upserts = self.table.upsert(&mut self.target, &upserts).await?;
        Ok(Written { upserts, deletes })
    }
}
