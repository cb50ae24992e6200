//! The table at the end: what was offered, taken, delivered and kept, beside what the files say must come out.

use std::fmt::Write as _;

/// One resource's line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub resource: String,
    pub offered: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Upserts and deletes delivered; `None` where nobody subscribed.
    pub delivered: Option<(u64, u64)>,
    /// Rows in the consumer's SQLite copy.
    pub copy: Option<u64>,
    /// Records of the first day and how long they took.
    pub first_day: u64,
    pub seconds: f64,
    pub expected: Expected,
}

/// The same, counted independently.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    pub accepted: u64,
    pub delivered: Option<(u64, u64)>,
    pub copy: Option<u64>,
}

impl Line {
    /// Whether every figure is what the files say.
    pub fn agrees(&self) -> bool {
        let expected = &self.expected;
        self.refused == 0
            && self.offered == expected.accepted
            && self.accepted == expected.accepted
            && self.delivered == expected.delivered
            && self.copy == expected.copy
    }
}

const HEAD: [&str; 10] = [
    "resource",
    "offered",
    "accepted",
    "refused",
    "upserts",
    "deletes",
    "copy",
    "from the files",
    "agree",
    "records/s",
];

pub fn render(lines: &[Line]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(lines.iter().map(row));
    let mut widths = [0; HEAD.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Names to the left, figures to the right.
            let _ = if at == 0 { write!(out, "{cell:<width$}") } else { write!(out, "  {cell:>width$}") };
        }
        out.push('\n');
    }
    out
}

fn row(line: &Line) -> [String; HEAD.len()] {
    let or_dash = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let expected = &line.expected;
    let by_files = match (expected.delivered, expected.copy) {
        (Some((upserts, deletes)), Some(copy)) => {
            format!("{} / {upserts} {deletes} / {copy}", expected.accepted)
        }
        _ => expected.accepted.to_string(),
    };
    let pace = if line.seconds > 0.0 {
        format!("{:.0}", line.first_day as f64 / line.seconds)
    } else {
        "-".to_owned()
    };
    [
        line.resource.clone(),
        line.offered.to_string(),
        line.accepted.to_string(),
        line.refused.to_string(),
        or_dash(line.delivered.map(|(upserts, _)| upserts)),
        or_dash(line.delivered.map(|(_, deletes)| deletes)),
        or_dash(line.copy),
        by_files,
        if line.agrees() { "yes" } else { "NO" }.to_owned(),
        pace,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_is_not_the_files_shows() {
        let mut line = Line { resource: "planes".to_owned(), offered: 3, accepted: 3, ..Line::default() };
        line.expected.accepted = 3;
        assert!(line.agrees() && render(&[line.clone()]).contains("yes"));
        line.expected.delivered = Some((1, 0));
        assert!(!line.agrees() && render(&[line]).contains("NO"));
    }
}
