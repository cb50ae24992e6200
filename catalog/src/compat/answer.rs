//! What a registry answers about an incompatible schema, in the form that its tools show.

use super::difference::Difference;
use super::house::Change;
use super::level::{Break, Level};

/// Characters of an earlier schema that are shown.
const MOST_SHOWN: usize = 10_000;

impl Break {
    /// Lines for `messages`: a line for each difference and for each of its reasons, how many there was no room for, then
    /// the earlier version, its text and the settings.
    #[must_use]
    pub fn messages(&self, version: u32, earlier: &str, level: Level) -> Vec<String> {
        let mut lines = Vec::new();
        self.forward.iter().for_each(|found| told(&mut lines, ("old", "new"), found));
        self.backward.iter().for_each(|found| told(&mut lines, ("new", "old"), found));
        lines.extend(self.house.iter().map(change));
        if self.omitted > 0 {
            lines.push(format!("{{omitted: {} more differences}}", self.omitted));
        }
        lines.push(format!("{{oldSchemaVersion: {version}}}"));
        lines.push(match earlier.char_indices().nth(MOST_SHOWN) {
            None => format!("{{oldSchema: '{earlier}'}}"),
            Some((end, _)) => format!("{{oldSchema: <truncated> '{}...'}}", &earlier[..end]),
        });
        lines.push(format!("{{validateFields: 'false', compatibility: '{}'}}", level.word()));
        lines
    }
}

/// A difference, and where it is a union's, why no branch takes it. (As deep as reasons are told: `read.rs`.)
fn told(lines: &mut Vec<String>, sides: (&str, &str), found: &Difference) {
    lines.push(line(sides, found));
    found.because.iter().for_each(|reason| told(lines, sides, reason));
}

fn line((reader, writer): (&str, &str), found: &Difference) -> String {
    let place = if found.reader.is_empty() { String::new() } else { format!(" ({})", found.reader) };
    format!(
        "{{errorType:'{}', description:'the {reader} schema reads what the {writer} one wrote; at {}{place}: {}', \
         additionalInfo:'{}'}}",
        found.kind.word(),
        found.location,
        found.text.en,
        found.message
    )
}

fn change(found: &Change) -> String {
    format!(
        "{{errorType:'{}', description:'{}', additionalInfo:'{}'}}",
        found.meaning.word().to_uppercase(),
        found.text.en,
        found.path
    )
}
