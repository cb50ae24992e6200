//! What must come out, counted from the files by other means than the bus uses: a CSV reader and maps, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The consumer's filter on flights (config/examples/requests/flights.toml), said again independently.
const AIRPORT: &str = "JFK";
const LATE: i64 = 15;

/// Counts of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rows {
    pub records: u64,
    /// Different keys: the rows of a table that holds the file.
    pub rows: u64,
}

/// One flight as far as counting needs it: the raw line to see changes, and the delay.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flight {
    line: Vec<String>,
    at_airport: bool,
    delay: Option<i64>,
}

impl Flight {
    fn is_granted(&self) -> bool {
        self.at_airport && self.delay.is_some_and(|delay| delay > LATE)
    }
}

/// A state of flights by key.
#[derive(Debug, Default)]
pub struct Flights(BTreeMap<Vec<String>, Flight>);

/// What a second state does to a bus that holds the first, and to its consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    pub changed: u64,
    pub deleted: u64,
    pub delivered_upserts: u64,
    pub delivered_deletes: u64,
}

fn rows(path: &Path) -> Result<(csv::StringRecord, Vec<csv::StringRecord>), String> {
    let broken = |error: csv::Error| format!("{}: {error}", path.display());
    let mut reader = csv::Reader::from_path(path).map_err(broken)?;
    let header = reader.headers().map_err(broken)?.clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(broken)?;
    Ok((header, rows))
}

fn places(header: &csv::StringRecord, names: &[&str], path: &Path) -> Result<Vec<usize>, String> {
    let place = |name: &&str| {
        let found = header.iter().position(|column| column == *name);
        found.ok_or_else(|| format!("{} has no column {name}", path.display()))
    };
    names.iter().map(place).collect()
}

/// Records of a file and its different keys.
pub fn keyed(path: &Path, key: &[&str]) -> Result<Rows, String> {
    let (header, rows) = rows(path)?;
    let places = places(&header, key, path)?;
    let keys: BTreeSet<Vec<&str>> =
        rows.iter().map(|row| places.iter().map(|at| &row[*at]).collect()).collect();
    Ok(Rows { records: rows.len() as u64, rows: keys.len() as u64 })
}

impl Flights {
    pub fn read(path: &Path) -> Result<Self, String> {
        let (header, rows) = rows(path)?;
        let key = places(&header, &["carrier", "flight", "origin", "time_hour"], path)?;
        let place = places(&header, &["origin", "dep_delay"], path)?;
        let flight = |row: csv::StringRecord| {
            let flight = Flight {
                at_airport: &row[place[0]] == AIRPORT,
                delay: row[place[1]].parse().ok(),
                line: row.iter().map(str::to_owned).collect(),
            };
            (key.iter().map(|at| row[*at].to_owned()).collect(), flight)
        };
        Ok(Self(rows.into_iter().map(flight).collect()))
    }

    pub fn rows(&self) -> u64 {
        self.0.len() as u64
    }

    /// Rows that the consumer's copy must hold.
    pub fn granted(&self) -> u64 {
        self.0.values().filter(|flight| flight.is_granted()).count() as u64
    }

    /// Lines that a first load delivers: of the airport's flights those that pass as upserts, the others as deletes.
    pub fn first_load(&self) -> Difference {
        let here = self.0.values().filter(|flight| flight.at_airport).count() as u64;
        let upserts = self.granted();
        Difference { delivered_upserts: upserts, delivered_deletes: here - upserts, ..Difference::default() }
    }

    pub fn difference(&self, next: &Self) -> Difference {
        let mut found = Difference::default();
        for (key, flight) in &next.0 {
            if self.0.get(key) == Some(flight) {
                continue;
            }
            found.changed += 1;
            if flight.is_granted() {
                found.delivered_upserts += 1;
            } else if flight.at_airport {
                found.delivered_deletes += 1;
            }
        }
        for (key, flight) in &self.0 {
            if !next.0.contains_key(key) {
                found.deleted += 1;
                found.delivered_deletes += u64::from(flight.at_airport);
            }
        }
        found
    }
}

/// Counts of `NA` in one column: the real defects, shown as the nulls they are.
pub fn missing(path: &Path, column: &str) -> Result<u64, String> {
    let (header, rows) = rows(path)?;
    let at = places(&header, &[column], path)?[0];
    Ok(rows.iter().filter(|row| &row[at] == "NA").count() as u64)
}
