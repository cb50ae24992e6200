//! Answers on the terminal: a table for people, JSON for programs.

use clap::ValueEnum;
use serde_json::Value;

use super::failure::{Done, Failure};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

/// A column: its heading and the member it shows, a JSON pointer.
pub type Column = (&'static str, &'static str);

impl Output {
    /// A list.
    pub fn list(self, items: &[Value], columns: &[Column]) -> Done {
        match self {
            Self::Json => print_json(&Value::from(items.to_vec())),
            Self::Table => {
                print!("{}", table(items, columns));
                Ok(())
            }
        }
    }

    /// One thing, a member a line.
    pub fn object(self, object: &Value, fields: &[Column]) -> Done {
        match self {
            Self::Json => print_json(object),
            Self::Table => {
                let shown = fields.iter().filter_map(|(name, at)| Some((*name, cell(object.pointer(at)?))));
                let shown: Vec<_> = shown.filter(|(_, text)| !text.is_empty()).collect();
                let wide = shown.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
                for (name, text) in shown {
                    println!("{}  {text}", padded(name, wide));
                }
                Ok(())
            }
        }
    }

    /// What was done: a line for people, the server's answer for programs.
    pub fn done(self, answer: &Value, line: impl FnOnce() -> String) -> Done {
        match self {
            Self::Json => print_json(answer),
            Self::Table => {
                println!("{}", line());
                Ok(())
            }
        }
    }
}

fn print_json(value: &Value) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Failed(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// A table with headings; `-` where a row has no such member.
#[must_use]
pub fn table(items: &[Value], columns: &[Column]) -> String {
    let mut rows = vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()];
    for item in items {
        let cells = columns.iter().map(|(_, at)| item.pointer(at).map(cell).unwrap_or_default());
        rows.push(cells.map(|text| if text.is_empty() { "-".to_owned() } else { text }).collect());
    }
    let wide: Vec<usize> = (0..columns.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|text| width(text)).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&wide).map(|(text, wide)| padded(text, *wide)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// A member as text: lists joined, nested things as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        Value::Array(list) if list.iter().all(|entry| !entry.is_object()) => {
            list.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Columns on a terminal: an East Asian letter takes two.
fn width(text: &str) -> usize {
    let wide = |letter: char| {
        matches!(u32::from(letter), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x20000..=0x3fffd)
    };
    text.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_under_letters_of_both_widths() {
        let items = [
            json!({"title": "航班", "state": "published", "roles": ["editor", "reviewer"]}),
            json!({"title": "a\nb", "more": {"x": 1}}),
        ];
        let text =
            table(&items, &[("TITLE", "/title"), ("STATE", "/state"), ("ROLES", "/roles"), ("X", "/more/x")]);
        assert_eq!(
            text,
            "TITLE  STATE      ROLES             X\n航班   published  editor, reviewer  -\na b    -          -                 1\n"
        );
    }
}
