//! JSON as Java reads and writes it.

use proptest::prelude::*;

use super::write::float;
use super::*;

fn again(text: &str) -> String {
    let mut out = String::new();
    write(&mut out, &read(text).unwrap());
    out
}

#[test]
fn a_text_is_minified_and_keeps_its_order_and_numbers() {
    let text = "/* a */ {\"b\" : 1, // c\n \"a\":[true,false,null, \"\\u4e2d/\\/\\u000b\\ud83d\\ude00\"],\"b\":2}\n\u{1}";
    assert_eq!(again(text), "{\"b\":2,\"a\":[true,false,null,\"中//\\u000B😀\"]}");
    assert_eq!(again("[-0,123456789012345678901234567890]"), "[0,123456789012345678901234567890]");
    assert_eq!(
        again("[1.0,0.10,1e3,1e7,12345678.9,0.001,0.00012,-1.5e-10,1e999,-0.0,4.9e-324]"),
        "[1.0,0.1,1000.0,1.0E7,1.23456789E7,0.001,1.2E-4,-1.5E-10,\"Infinity\",-0.0,4.9E-324]"
    );
}

#[test]
fn what_is_not_json_is_refused_where_it_goes_wrong() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "'a'",
        "\"a",
        "\"a\nb\"",
        "nul",
        "nulll",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "NaN",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\u12g4\"",
        "{} {}",
        "{} /* c */",
        "/* open",
        "/",
        "[1 2]",
        "\u{feff}{}",
        "\"\\u+123\"",
        "1a",
        "[1-2]",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    assert_eq!(read("[1, 2, x]").unwrap_err().at, 7);
}

#[test]
fn depth_and_digits_are_bounded() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(128)).is_ok());
    assert_eq!(read(&nested(129)).unwrap_err().at, 128);
    assert!(read(&"[".repeat(1_000_000)).is_err());
    assert!(read(&"1".repeat(1000)).is_ok());
    assert!(read(&"1".repeat(1001)).is_err());
}

#[test]
fn members_are_equal_in_any_order() {
    assert_eq!(read("{\"a\":1,\"b\":[2]}"), read("{\"b\":[2],\"a\":1}"));
    assert_ne!(read("{\"a\":1}"), read("{\"a\":1.0}"));
    assert_ne!(read("{\"a\":1}"), read("{\"a\":1,\"b\":1}"));
    assert!(read("{\"a\":[{\"b\":9223372036854775808}]}").unwrap().has_huge());
    assert!(!read("{\"a\":[{\"b\":-9223372036854775808}]}").unwrap().has_huge());
}

proptest! {
    #[test]
    fn any_text_is_an_answer(text in "\\PC{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn what_is_written_is_read_again(text in "\\PC{0,20}", number in any::<f64>(), whole in any::<i64>()) {
        let value = Json::Array(vec![Json::Text(text), Json::Whole(whole.to_string())]);
        let mut out = String::new();
        write(&mut out, &value);
        prop_assert_eq!(read(&out).unwrap(), value);
        if number.is_finite() {
            prop_assert_eq!(float(number).parse::<f64>().unwrap(), number);
        }
    }
}
