//! A draft as a resource file, with a comment on each guess.

use std::fmt::Write as _;

use super::{Column, Draft};

/// The file of interface.md 7. What only a person can know stands as a question; `provider` and `title` are given.
#[must_use]
pub fn to_toml(draft: &Draft, title: &str, provider: &str, class: &str) -> String {
    let mut out = String::new();
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let kind = if draft.key.is_empty() { "stream" } else { "table" };
    let why = if draft.key.is_empty() {
        "no set of columns tells all rows apart, so these are facts (a stream); with a key it would be a table"
    } else {
        "rows are told apart by the key below; the latest record of a key is its state"
    };
    let _ = write!(
        out,
        "# Guessed from {} rows; look at every line before you submit it.\n\
         class = {}  # class code (信息资源分类): digits, the catalog adds the sequence\n\
         title = {}\n\
         provider = {}\n\
         abstract = \"\"  # what it holds, from where, since when\n\
         kind = \"{kind}\"  # {why}\n\
         retention = \"forever\"\n\
         share_type = \"unconditional\"  # unconditional | conditional (say share_condition, share_scope) | withheld (say withheld_basis)\n\
         update_cycle = \"irregular\"  # realtime | hourly | daily | weekly | ten_day | monthly | quarterly | half_yearly | yearly | irregular | other\n",
        draft.rows,
        quoted(class),
        quoted(title),
        quoted(provider),
    );
    let key: Vec<String> = draft.key.iter().map(|name| quoted(name)).collect();
    let _ = writeln!(out, "key = [{}]", key.join(", "));
    for column in &draft.columns {
        put_item(column, draft.rows, &mut out);
    }
    out
}

fn put_item(column: &Column, rows: u64, out: &mut String) {
    let guess = column.guess();
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let title = if column.title.is_empty() { &column.name } else { &column.title };
    let _ = write!(out, "\n[[items]]\nname = {}\ntitle = {}\n", quoted(&column.name), quoted(title));
    let _ = writeln!(out, "type = \"{:?}\"  # {}", guess.kind, guess.why);
    let number = |name: &str, value: Option<usize>| {
        value.map(|value| format!("{name} = {value}\n")).unwrap_or_default()
    };
    out.push_str(&number("length", guess.length));
    out.push_str(&number("precision", guess.precision));
    out.push_str(&number("scale", guess.scale));
    if guess.nullable {
        let _ = writeln!(out, "nullable = true  # {} of {rows} rows have no value", column.nulls);
    }
    if let Some(values) = column.few_values()
        && guess.kind == changtong_catalog::resource::ItemType::C
    {
        let list: Vec<String> = values.into_iter().map(quoted).collect();
        let _ = writeln!(out, "# values = [{}]  # all that were seen: an enumeration?", list.join(", "));
    }
}
