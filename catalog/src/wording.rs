//! What serde says of a document, in our words and both languages: it speaks English only, and what it says is shown
//! to people.

use crate::error::Text;

/// Of a document in JSON, with the place where it has one.
#[must_use]
pub fn of_json(error: &serde_json::Error) -> Text {
    let whole = error.to_string();
    let said = whole.split(" at line ").next().unwrap_or_default();
    let text = if error.is_data() {
        of_data(said)
    } else if error.is_eof() {
        Text::new("JSON 未写完", "the JSON ends too early")
    } else {
        Text::new("不是合法的 JSON", format!("it is not JSON: {said}"))
    };
    match (error.line(), error.column()) {
        // A value in memory has no lines.
        (0, _) => text,
        (line, column) => Text::new(
            format!("第 {line} 行第 {column} 列:{}", text.zh),
            format!("line {line}, column {column}: {}", text.en),
        ),
    }
}

/// Of a member that is missing, not known or of another type. The value itself is never repeated.
#[must_use]
pub fn of_data(said: &str) -> Text {
    let quoted = |begin: &str| said.strip_prefix(begin)?.split('`').next();
    let expected = said.rsplit_once(", expected ").map(|(_, expected)| expected).unwrap_or_default();
    if let Some(name) = quoted("missing field `") {
        return Text::new(format!("缺少 {name}"), format!("`{name}` is missing"));
    }
    if let Some(name) = quoted("duplicate field `") {
        return Text::new(format!("{name} 写了两次"), format!("`{name}` stands twice"));
    }
    if let Some(name) = quoted("unknown field `") {
        return Text::new(
            format!("没有 {name} 这一项{}", one_of(expected, ";可用:", "、")),
            format!("there is no `{name}`{}", one_of(expected, "; it takes ", ", ")),
        );
    }
    if let Some(name) = quoted("unknown variant `") {
        return Text::new(
            format!("{name} 不在可取的值之中{}", one_of(expected, ";可取:", "、")),
            format!("{name} is none of the values{}", one_of(expected, " ", ", ")),
        );
    }
    if let Some(rest) = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: ")) {
        let found = rest.split([' ', ',']).next().unwrap_or_default();
        return Text::new(
            format!("类型不符:所写为{},应为{}", kind_zh(found), wanted_zh(expected)),
            format!("it is of the wrong type: {}, where {} is wanted", kind_en(found), wanted_en(expected)),
        );
    }
    Text::new("内容不合约定", said)
}

/// The names between backticks, as a list.
fn one_of(expected: &str, before: &str, between: &str) -> String {
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    if names.is_empty() { String::new() } else { format!("{before}{}", names.join(between)) }
}

fn kind_zh(found: &str) -> &'static str {
    match found {
        "string" => "文本",
        "integer" | "floating" => "数字",
        "boolean" => "真假值",
        "null" | "unit" | "Option" => "空值",
        "sequence" => "数组",
        "map" => "对象",
        _ => "其他类型",
    }
}

fn kind_en(found: &str) -> &str {
    match found {
        "integer" | "floating" => "a number",
        "string" => "a text",
        "boolean" => "a boolean",
        "null" | "unit" | "Option" => "null",
        "sequence" => "an array",
        "map" => "an object",
        _ => "something else",
    }
}

/// What a struct of ours is called is nobody's concern.
fn wanted_en(expected: &str) -> &str {
    if expected.starts_with("struct ") { "an object" } else { expected }
}

fn wanted_zh(expected: &str) -> String {
    let word = match expected {
        "a string" | "a borrowed string" | "a character" => "文本",
        "a boolean" => "true 或 false",
        "a sequence" => "数组",
        "a map" => "对象",
        _ if expected.starts_with("struct ") => "对象",
        _ if expected.starts_with('u') || expected.starts_with('i') && expected.len() < 6 => "整数",
        _ => return format!("({expected})"),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ack {
        next: String,
        kind: Option<Kind>,
        count: Option<u32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Table,
        Stream,
    }

    fn said(json: &str) -> (String, String) {
        let text = of_json(&serde_json::from_str::<Ack>(json).unwrap_err());
        (text.zh, text.en)
    }

    #[test]
    fn each_fault_is_said_in_both_languages_with_its_place() {
        for (json, zh, en) in [
            ("{}", "第 1 行第 2 列:缺少 next", "line 1, column 2: `next` is missing"),
            ("{\"next\":1}", "所写为数字,应为文本", "a number, where a string is wanted"),
            (
                "{\"nxt\":1}",
                "没有 nxt 这一项;可用:next、kind、count",
                "there is no `nxt`; it takes next, kind, count",
            ),
            ("{\"next\":\"a\",\"next\":\"b\"}", "next 写了两次", "`next` stands twice"),
            (
                "{\"kind\":\"heap\"}",
                "heap 不在可取的值之中;可取:table、stream",
                "heap is none of the values table, stream",
            ),
            ("{\"count\":[]}", "所写为数组,应为整数", "an array, where u32 is wanted"),
            ("{\"next\":", "JSON 未写完", "the JSON ends too early"),
            ("{next}", "不是合法的 JSON", "it is not JSON: key must be a string"),
        ] {
            let found = said(json);
            assert!(found.0.contains(zh) && found.1.contains(en), "{json}: {found:?}");
            assert!(found.0.starts_with("第 1 行") && found.1.starts_with("line 1"), "{json}: {found:?}");
        }
        let in_memory = serde_json::from_value::<Ack>(serde_json::json!({})).unwrap_err();
        assert_eq!(of_json(&in_memory).zh, "缺少 next");
    }

    #[test]
    fn a_value_is_never_repeated() {
        let found = said("{\"next\":123456}");
        assert!(!found.0.contains("123456") && !found.1.contains("123456"), "{found:?}");
    }
}
