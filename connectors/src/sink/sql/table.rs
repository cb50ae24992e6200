//! The table: its columns, and the statements that fill it, some hundred rows each.

use std::collections::HashSet;
use std::fmt::Write as _;

use changtong_catalog::error::Refusal;
use changtong_catalog::resource::{AvroType, Kind};

use super::cell::Cell;
use super::refusals;
use super::target::{Engine, Target};
use crate::bus::{GrantedItem, Subscribed};
use crate::sink::{Line, Written};

/// Both engines take more values a statement; SQLite's limit is 32,766.
const VALUES: usize = 30_000;
const ROWS: usize = 500;

pub(super) struct Table {
    pub kind: Kind,
    engine: Engine,
    name: String,
    items: Vec<GrantedItem>,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    declared: String,
    /// What a text becomes on its way in; PostgreSQL only.
    cast: Option<String>,
}

impl Table {
    pub fn new(name: &str, subscribed: &Subscribed, engine: Engine) -> Result<Self, Refusal> {
        let own = |name: &str, declared: &str, cast: Option<&str>| Column {
            name: name.to_owned(),
            declared: declared.to_owned(),
            cast: cast.map(str::to_owned),
        };
        let time = column_type(AvroType::TimestampMillis, engine);
        let time_cast = (engine == Engine::Postgres).then_some(time.as_str());
        let mut columns = match subscribed.kind {
            Kind::Table => vec![own("_k", "TEXT PRIMARY KEY", None), own("_id", "TEXT NOT NULL", None)],
            Kind::Stream => vec![own("_id", "TEXT PRIMARY KEY", None)],
        };
        columns.push(own("_published_at", &format!("{time} NOT NULL"), time_cast));
        for item in &subscribed.items {
            let declared = column_type(item.avro, engine);
            let written_as_text =
                matches!(item.avro, AvroType::Decimal { .. } | AvroType::Date | AvroType::TimestampMillis);
            let cast = (engine == Engine::Postgres && written_as_text).then(|| declared.clone());
            columns.push(Column { name: item.name.clone(), declared, cast });
        }
        let (kind, items) = (subscribed.kind, subscribed.items.clone());
        Ok(Self { kind, engine, name: name.to_owned(), items, columns })
    }

    fn key(&self) -> &'static str {
        match self.kind {
            Kind::Table => "\"_k\"",
            Kind::Stream => "\"_id\"",
        }
    }

    /// Makes the table, or adds the columns it lacks. Answers whether it was there.
    pub async fn prepare(&self, target: &mut Target) -> Result<bool, Refusal> {
        let there = self.columns_there(target).await?;
        if there.is_empty() {
            let columns: Vec<String> = self
                .columns
                .iter()
                .map(|column| format!("\"{}\" {}", column.name, column.declared))
                .collect();
            let sql = format!("CREATE TABLE \"{}\" ({})", self.name, columns.join(", "));
            target.execute(sql, Vec::new()).await?;
            return Ok(false);
        }
        let own = self.columns.len() - self.items.len();
        if !self.columns[..own].iter().all(|column| there.contains(&column.name)) {
            return Err(refusals::not_ours(&self.name));
        }
        for column in self.columns[own..].iter().filter(|column| !there.contains(&column.name)) {
            let sql =
                format!("ALTER TABLE \"{}\" ADD COLUMN \"{}\" {}", self.name, column.name, column.declared);
            target.execute(sql, Vec::new()).await?;
        }
        Ok(true)
    }

    async fn columns_there(&self, target: &mut Target) -> Result<HashSet<String>, Refusal> {
        // The engines keep their own catalogs of tables.
        let sql = match self.engine {
            Engine::Sqlite => "SELECT name, type FROM pragma_table_info($1)",
            Engine::Postgres => {
                "SELECT a.attname::text, a.attnum::text FROM pg_attribute a \
                 WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped"
            }
        };
        let found = target.pairs(sql.to_owned(), vec![Cell::text(&self.name)]).await?;
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    pub async fn empty(&self, target: &mut Target) -> Result<(), Refusal> {
        target.execute(format!("DELETE FROM \"{}\"", self.name), Vec::new()).await.map(drop)
    }

    /// Handle and record id of the rows that are there.
    pub async fn held(&self, target: &mut Target, keys: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
        let mut held = Vec::new();
        for keys in keys.chunks(ROWS) {
            let sql = format!(
                "SELECT \"_k\", \"_id\" FROM \"{}\" WHERE \"_k\" IN ({})",
                self.name,
                marks(keys.len())
            );
            held.extend(target.pairs(sql, keys.iter().map(|key| Cell::text(key)).collect()).await?);
        }
        Ok(held)
    }

    /// Answers how many rows went.
    pub async fn delete(&self, target: &mut Target, keys: Vec<Cell>) -> Result<u64, Refusal> {
        let mut gone = 0;
        for keys in keys.chunks(ROWS) {
            let sql = format!("DELETE FROM \"{}\" WHERE \"_k\" IN ({})", self.name, marks(keys.len()));
            gone += target.execute(sql, keys.to_vec()).await?;
        }
        Ok(gone)
    }

    pub async fn upsert(&self, target: &mut Target, lines: &[&Line]) -> Result<u64, Refusal> {
        let set: Vec<String> = self.columns[1..]
            .iter()
            .map(|column| format!("\"{0}\" = excluded.\"{0}\"", column.name))
            .collect();
        self.insert(target, lines, &format!("DO UPDATE SET {}", set.join(", "))).await
    }

    /// Lines of a stream; one that is there already stays.
    pub async fn append(&self, target: &mut Target, lines: &[Line]) -> Result<Written, Refusal> {
        let lines: Vec<&Line> = lines.iter().collect();
        let upserts = self.insert(target, &lines, "DO NOTHING").await?;
        Ok(Written { upserts, deletes: 0 })
    }

    async fn insert(&self, target: &mut Target, lines: &[&Line], conflict: &str) -> Result<u64, Refusal> {
        let mut written = 0;
        for lines in lines.chunks(ROWS.min(VALUES / self.columns.len()).max(1)) {
            let mut sql = format!("INSERT INTO \"{}\" (", self.name);
            for (at, column) in self.columns.iter().enumerate() {
                let _ = write!(sql, "{}\"{}\"", if at == 0 { "" } else { ", " }, column.name);
            }
            sql.push_str(") VALUES ");
            let mut cells = Vec::with_capacity(lines.len() * self.columns.len());
            for (row, line) in lines.iter().enumerate() {
                sql.push_str(if row == 0 { "(" } else { ", (" });
                self.placeholders(cells.len(), &mut sql);
                sql.push(')');
                self.cells(line, &mut cells)?;
            }
            let _ = write!(sql, " ON CONFLICT ({}) {conflict}", self.key());
            written += target.execute(sql, cells).await?;
        }
        Ok(written)
    }

    fn placeholders(&self, before: usize, sql: &mut String) {
        for (at, column) in self.columns.iter().enumerate() {
            let (comma, number) = (if at == 0 { "" } else { ", " }, before + at + 1);
            // Writing into a String does not fail.
            let _ = match &column.cast {
                Some(cast) => write!(sql, "{comma}CAST(${number}::text AS {cast})"),
                None => write!(sql, "{comma}${number}"),
            };
        }
    }

    fn cells(&self, line: &Line, cells: &mut Vec<Cell>) -> Result<(), Refusal> {
        if self.kind == Kind::Table {
            cells.push(Cell::Text(line.k.clone()));
        }
        cells.push(Cell::text(&line.id));
        cells.push(Cell::text(&line.published_at));
        for item in &self.items {
            cells.push(Cell::of(item, line.record.as_ref().and_then(|record| record.get(&item.name)))?);
        }
        Ok(())
    }
}

/// SQLite keeps decimals as text: its numbers would round them.
fn column_type(avro: AvroType, engine: Engine) -> String {
    let (sqlite, postgres) = match avro {
        AvroType::String => ("TEXT", "text"),
        AvroType::Int => ("INTEGER", "integer"),
        AvroType::Long => ("INTEGER", "bigint"),
        AvroType::Float => ("REAL", "real"),
        AvroType::Double => ("REAL", "double precision"),
        AvroType::Boolean => ("BOOLEAN", "boolean"),
        AvroType::Bytes => ("BLOB", "bytea"),
        AvroType::Decimal { precision, scale } if engine == Engine::Postgres => {
            return format!("numeric({precision},{scale})");
        }
        AvroType::Decimal { .. } => ("TEXT", "numeric"),
        AvroType::Date => ("TEXT", "date"),
        AvroType::TimestampMillis => ("TEXT", "timestamptz"),
    };
    match engine {
        Engine::Sqlite => sqlite.to_owned(),
        Engine::Postgres => postgres.to_owned(),
    }
}

fn marks(count: usize) -> String {
    let marks: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    marks.join(", ")
}
