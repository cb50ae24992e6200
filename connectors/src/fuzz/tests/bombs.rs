//! Small bytes that ask for much: whole, within every limit of size, and damaged.

use super::*;

/// What one costs at most: a body of that size and what may be told of it.
const MOST: u64 = 64 << 20;

/// A union has 256 at most.
const BRANCHES: usize = 255;

fn repeated(before: &str, piece: &str, bytes: usize, behind: &str) -> String {
    format!("{before}{}{behind}", piece.repeat(bytes / piece.len()))
}

fn listed(bytes: usize, most: usize, piece: impl Fn(usize) -> String) -> String {
    let mut list = String::new();
    for n in 0..most {
        let piece = piece(n);
        if list.len() + piece.len() + 1 > bytes {
            break;
        }
        list.push_str(if n == 0 { "" } else { "," });
        list.push_str(&piece);
    }
    list
}

fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

/// Each value of the default asks every branch but the last in vain.
fn default_of_branches(bytes: usize) -> String {
    let branches = listed(bytes / 4, BRANCHES, |n| record(&format!("R{n}"), r#"{"name":"x","type":"int"}"#));
    let items = format!(r#"[{branches},{}]"#, record("Z", ""));
    let values = listed(bytes / 2, usize::MAX, |_| "{}".to_owned());
    record("T", &format!(r#"{{"name":"f","type":{{"type":"array","items":{items}}},"default":[{values}]}}"#))
}

/// Unions whose branches all are looked at for each of the other's.
fn union_of_records(bytes: usize, kind: &str) -> String {
    let of = |n: usize| {
        record(
            &format!("R{n}"),
            &format!(r#"{{"name":"x","type":"{kind}"}},{{"name":"n","type":["null","T"]}}"#),
        )
    };
    let fields = listed(bytes, usize::MAX, |n| format!(r#"{{"name":"f{n}","type":["null",{}]}}"#, of(n)));
    record("T", &fields)
}

/// One behind the other, each of the one before by name.
fn chain(bytes: usize) -> String {
    let below = |n: usize| if n == 0 { "\"long\"".to_owned() } else { format!("\"R{}\"", n - 1) };
    let of =
        |n: usize| record(&format!("R{n}"), &format!(r#"{{"name":"f","type":["null","int",{}]}}"#, below(n)));
    record("All", &listed(bytes, usize::MAX, |n| format!(r#"{{"name":"r{n}","type":{}}}"#, of(n))))
}

/// Of about so many bytes each.
fn bombs(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let nested = repeated("", r#"{"type":"array","items":"#, bytes, "");
    let default = default_of_branches(bytes);
    let mut endless = container::head(br#"{"type":"record","name":"Empty","fields":[]}"#, [7; 16]);
    container::put_block(i64::MAX as u64, b"", [7; 16], &mut endless);
    let bombs = [
        ("json_lines", repeated(r#"{"id":"#, "[", bytes, "")),
        ("json_lines", repeated(r#"{"money":"#, "9", bytes, "}")),
        ("json_lines", repeated("{", r#""id":"a","#, bytes, r#""n":1}"#)),
        ("json_lines", format!("{{{}}}", listed(bytes, usize::MAX, |n| format!(r#""x{n}":1"#)))),
        ("json_lines", repeated("", "{}\n", bytes.min(25_000), "")),
        ("json_array", repeated("", "[{\"id\":", bytes, "")),
        ("csv", repeated("id,n\na,1", ",", bytes, "\n")),
        ("csv", repeated("id,n\n", "\"\"\"\",\n", bytes, "")),
        ("schema", nested.clone()),
        ("schema", default.clone()),
        ("schema", chain(bytes)),
        ("cursor", repeated("", "A", bytes, "")),
        ("filter", repeated("", "!(", bytes.min(4000), "")),
        ("filter", repeated("id in ['a'", ",'a'", bytes.min(4000), "]")),
        ("registry_body", format!(r#"{{"schema":{}}}"#, quoted(&default))),
        ("registry_body", format!(r#"{{"schema":{}}}"#, quoted(&chain(bytes / 2)))),
        (
            "registry_body",
            format!(
                r#"{{"schema":"\"int\"","ruleSet":{{"domainRules":[{}]}}}}"#,
                listed(bytes, usize::MAX, |n| format!(r#"{{"name":"r{n}"}}"#))
            ),
        ),
        ("registry_body", repeated(r#"{"defaultMetadata":"#, r#"{"properties":"#, bytes, "")),
        (
            "comparison",
            format!("{}\n{}", union_of_records(bytes / 2, "int"), union_of_records(bytes / 2, "string")),
        ),
        (
            "comparison",
            format!("{}\n{}", chain(bytes / 2), chain(bytes / 2).replace("\"long\"", "\"bytes\"")),
        ),
        ("adopt", nested),
        (
            "adopt",
            record("Value", &listed(bytes, usize::MAX, |n| format!(r#"{{"name":"id{n}","type":"string"}}"#))),
        ),
    ];
    let bombs = bombs.into_iter().map(|(name, text)| (name, text.into_bytes()));
    bombs.chain([("container", endless)]).collect()
}

#[test]
fn small_bytes_that_ask_for_much_are_an_answer() {
    for (name, bytes) in bombs(100 << 10) {
        answers_within(name, &bytes, MOST);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_bombs_are_an_answer(
        which in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), any::<Index>()), 1..6),
    ) {
        let mut bombs = bombs(8 << 10);
        let (name, bytes) = bombs.swap_remove(which.index(bombs.len()));
        answers_within(name, &damaged(bytes, &changes), MOST);
    }
}
