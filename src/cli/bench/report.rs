//! What benches say: rows of named figures, each the median of its repetitions with the least and the most.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::failure::{Done, Failure};
use super::super::output::{Output, table};
use super::machine::Machine;

/// One thing measured, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    bench: String,
    figures: Vec<(&'static str, f64)>,
}

impl Row {
    pub fn new(bench: impl Into<String>) -> Self {
        Self { bench: bench.into(), figures: Vec::new() }
    }

    /// A figure, named with its unit: the name is the one in the JSON document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }

    /// What was measured under a name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// A figure that may not have been measured.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<f64>) -> Self {
        match value {
            Some(value) if value.is_finite() => self.with(name, value),
            _ => self,
        }
    }
}

/// A figure over its repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }
}

/// Rows of the same bench, measured one or several times.
#[derive(Debug)]
pub struct Report {
    machine: Machine,
    repeats: usize,
    rows: Vec<(String, Vec<(&'static str, Spread)>)>,
}

impl Report {
    /// `runs` are the repetitions, each with the same rows.
    pub fn of(machine: Machine, runs: &[Vec<Row>]) -> Self {
        let first = runs.first().map(Vec::as_slice).unwrap_or_default();
        let spread = |at: usize, name: &str| {
            let rows = runs.iter().filter_map(|run| run.get(at));
            Spread::of(rows.filter_map(|row| row.figure(name)).collect())
        };
        let figures = |at: usize, row: &Row| {
            row.figures.iter().filter_map(|(name, _)| Some((*name, spread(at, name)?))).collect()
        };
        let rows = first.iter().enumerate().map(|(at, row)| (row.bench.clone(), figures(at, row))).collect();
        Self { machine, repeats: runs.len(), rows }
    }

    pub fn print(&self, output: Output) -> Done {
        match output {
            Output::Json => {
                let text = serde_json::to_string_pretty(&self.as_json());
                println!("{}", text.map_err(|error| Failure::Failed(error.to_string()))?);
            }
            Output::Table => print!("{}", self.as_text()),
        }
        Ok(())
    }

    /// Adds one line to a file of reports.
    pub fn append(&self, path: &Path) -> Done {
        let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        writeln!(file, "{}", self.as_json()).map_err(failed)
    }

    fn as_json(&self) -> Value {
        let figure = |spread: &Spread| json!({ "median": number(spread.median), "min": number(spread.min), "max": number(spread.max) });
        let rows = self.rows.iter().map(|(bench, figures)| {
            let figures: Map<String, Value> =
                figures.iter().map(|(name, spread)| ((*name).to_owned(), figure(spread))).collect();
            json!({ "bench": bench, "figures": figures })
        });
        json!({
            "machine": self.machine.as_json(),
            "repeats": self.repeats,
            "rows": rows.collect::<Vec<_>>(),
        })
    }

    /// A table for each row: a line a figure.
    fn as_text(&self) -> String {
        let mut out = format!("machine: {}\n", self.machine.line());
        let columns: &[_] = match self.repeats {
            1 => &[("figure", "/name"), ("measured", "/median")],
            _ => &[("figure", "/name"), ("median", "/median"), ("least", "/min"), ("most", "/max")],
        };
        for (bench, figures) in &self.rows {
            let lines: Vec<Value> = figures
                .iter()
                .map(|(name, spread)| {
                    json!({
                        "name": name.replace('_', " "),
                        "median": number(spread.median), "min": number(spread.min), "max": number(spread.max),
                    })
                })
                .collect();
            out.push_str(&format!("\n{bench}"));
            if self.repeats > 1 {
                out.push_str(&format!(", measured {} times", self.repeats));
            }
            out.push('\n');
            out.push_str(&table(&lines, columns));
        }
        out
    }
}

/// Whole numbers without a point, others with two decimals.
fn number(value: f64) -> Value {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: f64, p99: Option<f64>) -> Vec<Row> {
        vec![Row::new("publish").with("records_per_second", rate).with_some("p99_ms", p99)]
    }

    #[test]
    fn the_median_stands_between_the_least_and_the_most() {
        let runs = [run(30.0, Some(1.239)), run(10.0, Some(f64::NAN)), run(20.0, None), run(50.0, Some(3.0))];
        let report = Report::of(Machine::here(), &runs);
        let json = report.as_json();
        let figures = &json["rows"][0]["figures"];
        assert_eq!(figures["records_per_second"], json!({ "median": 25, "min": 10, "max": 50 }));
        assert_eq!(figures["p99_ms"], json!({ "median": 2.12, "min": 1.24, "max": 3 }));
        assert_eq!((&json["repeats"], &json["rows"][0]["bench"]), (&json!(4), &json!("publish")));
        let text = report.as_text();
        assert!(text.contains("publish, measured 4 times"), "{text}");
        assert!(text.contains("records per second  25"), "{text}");
    }

    #[test]
    fn one_run_is_said_without_a_spread() {
        let text = Report::of(Machine::here(), &[run(7.0, None)]).as_text();
        assert!(text.contains("measured\n") && !text.contains("least"), "{text}");
    }
}
