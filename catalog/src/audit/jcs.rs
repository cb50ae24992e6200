//! Canonical JSON (RFC 8785) of the subset that events use: objects, arrays, strings, booleans and whole numbers
//! below 2⁵³; no floats and no null, so that two languages can never print a number differently.

use serde_json::{Map, Value};

/// Numbers at or above this lose digits in readers that hold numbers as doubles.
pub const LIMIT: u64 = 1 << 53;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    #[error("a number is not whole or not below 2^53")]
    Number,
    #[error("null has no place in canonical bytes")]
    Null,
}

/// The canonical bytes of a value.
pub fn encode(value: &Value) -> Result<Vec<u8>, NotCanonical> {
    let mut text = String::new();
    write(&mut text, value)?;
    Ok(text.into_bytes())
}

fn write(out: &mut String, value: &Value) -> Result<(), NotCanonical> {
    match value {
        Value::Null => return Err(NotCanonical::Null),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => {
            let size = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            if size.is_none_or(|size| size >= LIMIT) {
                return Err(NotCanonical::Number);
            }
            out.push_str(&number.to_string());
        }
        Value::String(text) => write_string(out, text),
        Value::Array(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(out, value)?;
            }
            out.push(']');
        }
        Value::Object(members) => write_object(out, members)?,
    }
    Ok(())
}

fn write_object(out: &mut String, members: &Map<String, Value>) -> Result<(), NotCanonical> {
    let mut sorted: Vec<_> = members.iter().collect();
    // RFC 8785 sorts by UTF-16 code units, which differs from UTF-8 order beyond U+FFFF.
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write(out, value)?;
    }
    out.push('}');
    Ok(())
}

/// A string with its quotes and escapes.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    write_string(&mut quoted, text);
    quoted
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_by_utf16_units() {
        // The example of RFC 8785 section 3.2.3, without its numbers.
        let value = json!({
            "\u{20ac}": "Euro Sign",
            "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\u{1f600}": "Emoji: Grinning Face",
            "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let bytes = encode(&value).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let order =
            ["\"\\r\"", "\"1\"", "\"\u{80}\"", "\"\u{f6}\"", "\"\u{20ac}\"", "\"\u{1f600}\"", "\"\u{fb33}\""];
        let places: Vec<_> = order.iter().map(|key| text.find(&format!("{key}:")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn refuses_what_readers_could_print_differently() {
        for value in
            [json!(1.5), json!(1u64 << 53), json!(-(1i64 << 53)), json!(u64::MAX), json!({"a": [0.1]})]
        {
            assert_eq!(encode(&value), Err(NotCanonical::Number), "{value}");
        }
        assert_eq!(encode(&json!([null])), Err(NotCanonical::Null));
        assert_eq!(encode(&json!((1i64 << 53) - 1)).unwrap(), b"9007199254740991");
        assert_eq!(encode(&json!([-7, 0, true, "a\u{1}\u{7f}"])).unwrap(), b"[-7,0,true,\"a\\u0001\x7f\"]");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-((1i64 << 53) - 1)..(1i64 << 53)).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in values()) {
            let bytes = encode(&value).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
        }

        #[test]
        fn strings_are_escaped_as_serde_json_does(text in ".*") {
            prop_assert_eq!(encode(&json!(text)).unwrap(), serde_json::to_vec(&text).unwrap());
        }
    }
}
