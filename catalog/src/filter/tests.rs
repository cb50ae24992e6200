//! Filters by example: semantics, literals, refusals, bounds.

use proptest::prelude::*;

use super::*;
use crate::resource::{Item, ItemType};

fn item(name: &str, kind: ItemType) -> Item {
    Item {
        name: name.to_owned(),
        title: name.to_owned(),
        kind,
        nullable: true,
        grade: 1,
        length: None,
        precision: matches!(kind, ItemType::N | ItemType::Y).then_some(6),
        scale: matches!(kind, ItemType::N | ItemType::Y).then_some(2),
        values: Vec::new(),
        unit: None,
        mask: None,
        default: None,
        aliases: Vec::new(),
    }
}

/// Two items of each type that compares: 0/1 whole numbers, 2/3 decimals, 4/5 dates, 6/7 times, 8/9 texts, 10/11
/// doubles, 12/13 booleans; 14 bytes, 15 coded, 16 float.
pub(super) fn items() -> Vec<Item> {
    use ItemType::{B, C, D, F, G, I, L, M, N, T, Y};
    let kinds = [
        ("delay", I),
        ("late", I),
        ("fare", N),
        ("tax", Y),
        ("day", D),
        ("due", D),
        ("at", T),
        ("by", T),
        ("origin", C),
        ("dest", M),
        ("wind", B),
        ("gust", B),
        ("cancelled", L),
        ("diverted", L),
        ("photo", G),
        ("class", C),
        ("short", F),
    ];
    let mut items: Vec<Item> = kinds.into_iter().map(|(name, kind)| item(name, kind)).collect();
    items[15].values = vec!["Y".to_owned(), "F".to_owned()];
    items
}

fn filter(text: &str) -> Result<Filter, Refusal> {
    parse(text)?.check(&items())
}

fn judge(text: &str, cells: &[(usize, Cell<'_>)]) -> Truth {
    let value = |index| cells.iter().find(|(at, _)| *at == index).map_or(Cell::Null, |(_, cell)| *cell);
    filter(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}")).judge(&value)
}

#[test]
fn the_example_of_the_contract() {
    let text = r#"origin == "JFK" && delay > 15"#;
    assert_eq!(judge(text, &[(8, Cell::Text("JFK")), (0, Cell::Int(16))]), Truth::True);
    assert_eq!(judge(text, &[(8, Cell::Text("JFK")), (0, Cell::Int(15))]), Truth::False);
    assert_eq!(judge(text, &[(8, Cell::Text("JFK"))]), Truth::Unknown);
    assert_eq!(judge(text, &[(8, Cell::Text("LGA"))]), Truth::False);
    assert_eq!(filter(text).unwrap().items().iter().copied().collect::<Vec<_>>(), [0, 8]);
}

/// docs/filters-and-masks.md: every example on it is a filter over these items.
#[test]
fn the_page_for_users_is_true() {
    let page = include_str!("../../../docs/filters-and-masks.md");
    let examples = page.split_once("```cel\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    assert_eq!(examples.lines().count(), 7);
    for example in examples.lines() {
        filter(example).unwrap_or_else(|refusal| panic!("{example}: {refusal}"));
    }
    let bounds = format!("at most {MOST_VALUES} values");
    assert!(
        page.contains(&bounds) && page.contains("4,096 bytes") && MOST_BYTES == 4_096 && MOST_DEPTH == 32
    );
    let late = "delay > 15 || delay <= 15";
    assert!(page.contains(late) && page.contains("|| delay == null"));
    assert_eq!(judge(late, &[]), Truth::Unknown);
    assert_eq!(judge(&format!("{late} || delay == null"), &[]), Truth::True);
}

#[test]
fn only_the_items_it_names_are_read_and_only_while_they_matter() {
    let read = |text: &str| {
        let read = std::cell::RefCell::new(Vec::new());
        let cell = |index: usize| {
            read.borrow_mut().push(index);
            if index == 8 { Cell::Text("JFK") } else { Cell::Int(1) }
        };
        let truth = filter(text).unwrap().judge(&cell);
        (truth, read.into_inner())
    };
    assert_eq!(read("origin == 'JFK' && delay in [1, 2]"), (Truth::True, vec![8, 0]));
    assert_eq!(read("origin == 'LGA' && delay == 1"), (Truth::False, vec![8]));
    assert_eq!(read("origin == 'JFK' || delay == 1"), (Truth::True, vec![8]));
    assert_eq!(read("!(delay < late)"), (Truth::True, vec![0, 1]));
}

#[test]
fn null_is_unknown_but_for_its_own_comparisons() {
    for unknown in
        ["delay == 1", "delay != 1", "!(delay == 1)", "delay in [1, 2]", "cancelled", "delay < late"]
    {
        assert_eq!(judge(unknown, &[]), Truth::Unknown, "{unknown}");
    }
    assert_eq!(judge("delay == null", &[]), Truth::True);
    assert_eq!(judge("null != delay", &[]), Truth::False);
    assert_eq!(judge("photo != null", &[(14, Cell::Bytes(b"x"))]), Truth::True);
    for text in ["delay == null", "delay != null", "delay == 1", "!cancelled", "delay in [1]"] {
        let cells = [(0, Cell::Unknown), (12, Cell::Unknown)];
        assert_eq!(judge(text, &cells), Truth::Unknown, "{text}");
    }
}

#[test]
fn unknown_follows_kleene() {
    let cells = [(0, Cell::Int(1)), (1, Cell::Null)];
    for (text, truth) in [
        ("delay == 1 || late == 1", Truth::True),
        ("late == 1 || delay == 1", Truth::True),
        ("delay == 2 || late == 1", Truth::Unknown),
        ("delay == 1 && late == 1", Truth::Unknown),
        ("late == 1 && delay == 2", Truth::False),
        ("!(late == 1 && delay == 2)", Truth::True),
        ("delay == 2 || late == null && delay == 1", Truth::True),
        ("(delay == 2 || late == null) && delay == 2", Truth::False),
    ] {
        assert_eq!(judge(text, &cells), truth, "{text}");
    }
}

#[test]
fn a_negation_takes_an_item_or_parentheses() {
    let cells = [(12, Cell::Bool(false)), (0, Cell::Int(1))];
    for text in
        ["!cancelled", "!(cancelled)", "!!(delay == 1)", "!cancelled && delay == 1", "!(!(delay in [1]))"]
    {
        assert_eq!(judge(text, &cells), Truth::True, "{text}");
    }
}

#[test]
fn literals_take_the_type_of_the_item() {
    let fare = [(2, Cell::Decimal(1_250, 2))];
    assert_eq!(judge("fare == 12.5", &fare), Truth::True);
    assert_eq!(judge("12.500 <= fare", &fare), Truth::True);
    assert_eq!(judge("day < '2013-02-01'", &[(4, Cell::Date(15_736))]), Truth::True);
    let at = [(6, Cell::Timestamp(1_357_034_400_000))];
    assert_eq!(
        judge("at == '2013-01-01T05:00:00-05:00' && at < '2013-01-01T10:00:00.001Z'", &at),
        Truth::True
    );
    assert_eq!(judge("short == 0.1", &[(16, Cell::Float(f64::from(0.1_f32)))]), Truth::True);
    assert_eq!(judge("wind > 1", &[(10, Cell::Float(f64::NAN))]), Truth::Unknown);
    assert_eq!(judge("class in ['F', \"Y\", 'F']", &[(15, Cell::Text("Y"))]), Truth::True);
    assert_eq!(judge("class > 'A'", &[(15, Cell::Text("F"))]), Truth::True);
}

#[test]
fn strings_know_the_escapes_of_cel() {
    let cases = [
        (r#""a\"b""#, "a\"b"),
        (r"'it\'s'", "it's"),
        (r"'\\ \? \` \n\t\r'", "\\ ? ` \n\t\r"),
        (r"'\x41\u4e2d\U0001F600\101'", "A中😀A"),
        ("'中文'", "中文"),
        ("''", ""),
    ];
    for (literal, text) in cases {
        assert_eq!(
            judge(&format!("origin == {literal}"), &[(8, Cell::Text(text))]),
            Truth::True,
            "{literal}"
        );
    }
}

/// Text, place and a part of the English message.
const REFUSED: [(&str, usize, &str); 41] = [
    ("", 1, "an item or a value"),
    ("delay", 1, "type L stands alone"),
    ("true", 1, "type L stands alone"),
    ("delay = 1", 7, "'=' is not expected"),
    ("delay == ", 10, "an item or a value"),
    ("delay == 1 2", 12, "&&, || or the end"),
    ("delay == 1 &&", 14, "an item or a value"),
    ("(delay == 1", 12, ") is expected"),
    ("delay == 1)", 11, "&&, || or the end"),
    ("delay == 1 == 2", 12, "&&, || or the end"),
    ("!delay == 1", 8, "binds tighter"),
    ("!delay in [1]", 8, "binds tighter"),
    ("delay + 1 == 2", 7, "'+' is not expected"),
    ("delay == -", 10, "a number is decimal"),
    ("delay == 1e3", 10, "a number is decimal"),
    ("delay == 0x1F", 10, "a number is decimal"),
    ("delay == 1.5", 10, "a whole number"),
    ("delay == 9223372036854775808", 10, "a whole number"),
    ("delay == '1'", 10, "a whole number"),
    ("delay == cancelled", 10, "can't be compared"),
    ("delay < fare", 9, "can't be compared"),
    ("photo == photo", 10, "can't be compared"),
    ("photo == 'x'", 10, "null, and with nothing else"),
    ("delay < null", 9, "== or != only"),
    ("cancelled < true", 13, "== or != only"),
    ("cancelled == 1", 14, "true or false"),
    ("fare == 1.005", 9, "at most 2 of them decimals"),
    ("fare == 10000", 9, "at most 6 digits"),
    ("day == '2013-2-1'", 8, "a date in a string"),
    ("day == '2013-02-30'", 8, "a date in a string"),
    ("at > '2013-01-01'", 6, "a time in a string"),
    ("at > '2013-01-01T00:00:00.1234Z'", 6, "at most three decimals"),
    ("class == 'B'", 10, "is not a value of \"class\": Y, F"),
    ("name == 'x'", 1, "no item \"name\""),
    ("1 == 1", 1, "names no item"),
    ("delay in []", 11, "an item or a value"),
    ("delay in [1, null]", 14, "a whole number"),
    ("1 in [1]", 1, "left side of in is an item"),
    ("origin.size() > 1", 7, "'.' is not expected"),
    ("size(origin) > 1", 1, "no functions"),
    ("origin == 'JFK", 11, "does not end"),
];

#[test]
fn wrong_filters_are_refused_at_their_place() {
    for (text, at, message) in REFUSED {
        let refusal = filter(text).expect_err(text);
        assert_eq!(refusal.code, Code::FilterInvalid, "{text}");
        assert!(refusal.text.en.contains(message), "{text}: {}", refusal.text.en);
        assert!(refusal.text.zh.contains(&format!("第 {at} 个字符处")), "{text}: {}", refusal.text.zh);
        assert_eq!(refusal.extra["at"], at, "{text}");
    }
    for escape in [r"'\q'", r"'\u12'", r"'\ud800'", r"'\U00110000'", r"'\18'", r"'\x00'", r"'\u0000'", "'\0'"]
    {
        assert_eq!(filter(&format!("origin == {escape}")).unwrap_err().extra["at"], 12, "{escape}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |n: usize| format!("{}delay == 1{}", "(".repeat(n), ")".repeat(n));
    assert!(filter(&nested(MOST_DEPTH - 1)).is_ok());
    assert!(filter(&nested(MOST_DEPTH)).unwrap_err().text.en.contains("nested deeper"));
    assert!(filter(&format!("{}cancelled", "!".repeat(MOST_DEPTH + 1))).is_err());
    assert!(filter(&nested(2_000)).is_err());

    let list = |n: usize| format!("delay in [{}1]", "1,".repeat(n - 1));
    assert!(filter(&list(MOST_VALUES)).is_ok());
    assert!(filter(&list(MOST_VALUES + 1)).unwrap_err().text.en.contains("at most 500 values"));

    let long = format!("delay == 1{}", " ".repeat(MOST_BYTES - 10));
    assert!(filter(&long).is_ok());
    assert!(filter(&format!("{long} ")).unwrap_err().text.en.contains("4097 bytes"));
    let wide = format!("delay == 1{}", "||late==1".repeat(450));
    assert_eq!(judge(&wide, &[(0, Cell::Int(1))]), Truth::True);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r#"[a-z0-9 &|=!<>()\[\],.'"\\中-]{0,60}"#) {
        let _ = filter(&text);
    }
}
