//! The CSV of made records: columns in any order under names or titles, fields quoted or not, lines of both ends.

use apache_avro::types::Value;
use changtong_catalog::resource::{Item, ResourceFile};

use super::made::{Choices, Made};

/// A body, and the records that it means: an empty field is null where the item may be null, and so is an item without a
/// column.
pub fn csv(
    choices: &mut Choices,
    file: &ResourceFile,
    mut records: Vec<Vec<Made>>,
) -> (String, Vec<Vec<Made>>) {
    let left_out = |choices: &mut Choices, item: &Item| item.nullable && choices.one_in(4);
    let mut columns: Vec<_> =
        (0..file.items.len()).filter(|at| !left_out(choices, &file.items[*at])).collect();
    choices.shuffle(&mut columns);
    if columns.is_empty() {
        columns.push(0);
    }
    let operation = choices.one_in(3);
    let mut lines = Vec::with_capacity(records.len() + 1);
    let name =
        |choices: &mut Choices, item: &Item| if choices.one_in(3) { &item.title } else { &item.name }.clone();
    let header = columns.iter().map(|at| name(choices, &file.items[*at]));
    lines.push(header.chain(operation.then(|| "$op".to_owned())).collect::<Vec<_>>());
    for record in &mut records {
        for (at, made) in record.iter_mut().enumerate() {
            let text = if columns.contains(&at) { text(choices, made) } else { String::new() };
            if text.is_empty() && file.items[at].nullable {
                made.avro = Value::Null;
            }
            made.json = Some(text);
        }
        let fields = columns.iter().filter_map(|at| record[*at].json.clone());
        let operation = operation.then(|| (*choices.of(&["", "upsert"])).to_owned());
        lines.push(fields.chain(operation).collect());
    }
    let end = *choices.of(&["\n", "\r\n"]);
    let mut body = (*choices.of(&["", "\u{feff}"])).to_owned();
    for line in lines {
        // A line of nothing is no record.
        let alone = line.len() == 1;
        let fields: Vec<_> = line.into_iter().map(|field| quoted(choices, field, alone)).collect();
        body.push_str(&fields.join(","));
        body.push_str(end);
    }
    (body, records)
}

/// What a field says of a value.
fn text(choices: &mut Choices, made: &Made) -> String {
    match (made.json.as_deref(), &made.avro) {
        (None | Some("null"), _) => String::new(),
        (_, Value::Boolean(true)) => (*choices.of(&["true", "TRUE", "True", "1"])).to_owned(),
        (_, Value::Boolean(false)) => (*choices.of(&["false", "FALSE", "False", "0"])).to_owned(),
        (Some(json), _) if json.starts_with('"') => serde_json::from_str(json).unwrap(),
        (Some(json), _) => json.to_owned(),
    }
}

fn quoted(choices: &mut Choices, field: String, alone: bool) -> String {
    let needed = field.contains([',', '"', '\n', '\r']) || alone && field.is_empty();
    if needed || choices.one_in(4) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
