//! What is JSON is what serde_json takes for it; what a member or an element is worth is told in the codec's own tests.

use proptest::prelude::*;
use serde_json::Value;

use super::scan::Scanner;
use super::*;

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.space();
    scanner.token().is_ok() && scanner.is_done()
}

#[test]
fn the_grammar_is_jsons() {
    let taken = [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "10",
        "1.5",
        "-1.5e-7",
        "1E+2",
        "\"\"",
        "\"a\\u00e9\\n\\/\"",
        "[]",
        "[ ]",
        "{}",
        "{ \"a\" : [1 , {\"b\":null}] }",
        "\"\u{7f}中\"",
        "[[[]]]",
        "\t\r\n1",
    ];
    for text in taken {
        assert!(is_json(text), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
    }
    let refused = [
        "",
        " ",
        "nul",
        "truee",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"\t\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{,}",
        "1 2",
        "NaN",
        "'a'",
        "[}",
        "{1:2}",
        "\u{feff}1",
        "\u{a0}1",
    ];
    for text in refused {
        assert!(!is_json(text), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(is_json(&nested(128)) && !is_json(&nested(129)));
    assert!(!is_json(&"[".repeat(1 << 20)) && !is_json(&"{\"a\":".repeat(1 << 20)));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_as_json_is_json(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        prop_assert!(is_json(&text), "{}", text);
    }

    /// Other halves of surrogate pairs are serde_json's own matter: they are well formed, and no text.
    #[test]
    fn damaged_json_is_judged_as_serde_json_does(value in json(), at in any::<prop::sample::Index>(), with in "[\\[\\]{}:,\"0-9eE+.\\\\ntf -]") {
        let mut text = value.to_string();
        let place = at.index(text.len());
        prop_assume!(text.is_char_boundary(place));
        text.replace_range(place..place, &with);
        prop_assert_eq!(is_json(&text), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn a_string_holds_what_serde_json_finds_in_it(text in ".{0,20}", escapes in prop::collection::vec(any::<u16>(), 0..4)) {
        let mut written = serde_json::to_string(&text).unwrap();
        written.pop();
        for unit in escapes {
            written.push_str(&format!("\\u{unit:04x}"));
        }
        written.push('"');
        let mut out = String::new();
        let found = match Scanner::new(&written).token().unwrap() {
            Token::Text(text) => Some(text),
            Token::Escaped(inner) => unescape(inner, &mut out),
            token => panic!("{token:?}"),
        };
        prop_assert_eq!(found.map(str::to_owned), serde_json::from_str::<String>(&written).ok());
    }
}
