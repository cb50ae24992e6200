//! What a registry answers about an incompatible schema, in the form that its tools show.

use super::difference::Difference;
use super::house::Change;
use super::level::{Break, Level};

/// Characters of an earlier schema that are shown.
const MOST_SHOWN: usize = 10_000;

impl Break {
    /// Lines for `messages`: a line for each difference, then the earlier version, its text and the settings.
    #[must_use]
    pub fn messages(&self, version: u32, earlier: &str, level: Level) -> Vec<String> {
        let forward = self.forward.iter().map(|found| line("old", "new", found));
        let backward = self.backward.iter().map(|found| line("new", "old", found));
        let mut lines: Vec<_> = forward.chain(backward).chain(self.house.iter().map(change)).collect();
        lines.push(format!("{{oldSchemaVersion: {version}}}"));
        lines.push(match earlier.char_indices().nth(MOST_SHOWN) {
            None => format!("{{oldSchema: '{earlier}'}}"),
            Some((end, _)) => format!("{{oldSchema: <truncated> '{}...'}}", &earlier[..end]),
        });
        lines.push(format!("{{validateFields: 'false', compatibility: '{}'}}", level.word()));
        lines
    }
}

fn line(reader: &str, writer: &str, found: &Difference) -> String {
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
