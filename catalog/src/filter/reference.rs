//! The property test of the filters: against an evaluator that knows neither `Cell` nor the parser.

use proptest::prelude::*;

use super::tests::items;
use super::*;

/// Values in rising order; a record and a literal hold an index into their type's column.
const TEXTS: [&str; 4] = ["", "a", "b'\"\\", "中文"];
const NUMBERS: [i64; 4] = [-20, 0, 7, i64::MAX];
const DECIMALS: [(&str, i128); 4] = [("-1.5", -150), ("0", 0), ("0.250", 25), ("9999.99", 999_999)];
const DAYS: [(&str, i32); 4] =
    [("1969-12-31", -1), ("1970-01-01", 0), ("1970-03-01", 59), ("2013-01-31", 15_736)];
const TIMES: [(&str, i64); 4] = [
    ("1969-12-31T23:59:59.5Z", -500),
    ("1970-01-01T08:00:00+08:00", 0),
    ("1970-01-01T00:00:00.001Z", 1),
    ("2013-01-01T05:00:00-05:00", 1_357_034_400_000),
];
const DOUBLES: [(&str, f64); 4] = [("-1.5", -1.5), ("0", 0.0), ("0.25", 0.25), ("1000000", 1e6)];

fn literal(item: usize, k: usize) -> String {
    match item / 2 {
        0 => NUMBERS[k].to_string(),
        1 => DECIMALS[k].0.to_owned(),
        2 => format!("'{}'", DAYS[k].0),
        3 => format!("\"{}\"", TIMES[k].0),
        4 => format!("{:?}", TEXTS[k]),
        5 => DOUBLES[k].0.to_owned(),
        _ => (k % 2 == 1).to_string(),
    }
}

fn cell(item: usize, value: Seen) -> Cell<'static> {
    let k = match value {
        Seen::Unknown => return Cell::Unknown,
        Seen::Null => return Cell::Null,
        Seen::Value(k) => k,
    };
    match item / 2 {
        0 => Cell::Int(NUMBERS[k]),
        1 => Cell::Decimal(DECIMALS[k].1, 2),
        2 => Cell::Date(DAYS[k].1),
        3 => Cell::Timestamp(TIMES[k].1),
        4 => Cell::Text(TEXTS[k]),
        5 => Cell::Float(DOUBLES[k].1),
        _ => Cell::Bool(k % 2 == 1),
    }
}

#[derive(Debug, Clone, Copy)]
enum Seen {
    Unknown,
    Null,
    Value(usize),
}

#[derive(Debug, Clone)]
enum Rule {
    Compare(usize, usize, usize, bool),
    Items(usize, usize),
    Null(usize, bool),
    In(usize, Vec<usize>),
    Alone(usize),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

const OPS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn op(item: usize, op: usize) -> usize {
    if item >= 12 { op % 2 } else { op }
}

impl Rule {
    fn text(&self) -> String {
        let name = |item: &usize| items()[*item].name.clone();
        let many = |rules: &[Self], with: &str| {
            let texts: Vec<String> = rules.iter().map(|rule| format!("({})", rule.text())).collect();
            texts.join(with)
        };
        match self {
            Self::Compare(item, at, k, false) => {
                format!("{} {} {}", name(item), OPS[op(*item, *at)], literal(*item, *k))
            }
            Self::Compare(item, at, k, true) => {
                format!("{}{}{}", literal(*item, *k), OPS[op(*item, *at)], name(item))
            }
            Self::Items(item, at) => format!("{}{}{}", name(item), OPS[op(*item, *at)], name(&(item ^ 1))),
            Self::Null(item, true) => format!("{} == null", name(item)),
            Self::Null(item, false) => format!("null != {}", name(item)),
            Self::In(item, ks) => {
                let list: Vec<String> = ks.iter().map(|k| literal(*item, *k)).collect();
                format!("{} in [{}]", name(item), list.join(", "))
            }
            Self::Alone(item) => name(item),
            Self::Not(rule) => format!("!({})", rule.text()),
            Self::All(rules) => many(rules, " && "),
            Self::Any(rules) => many(rules, "||"),
        }
    }

    fn judge(&self, record: &[Seen]) -> Option<bool> {
        let known = |item: usize| match record[item] {
            Seen::Value(k) => Some(if item >= 12 { k % 2 } else { k }),
            _ => None,
        };
        let holds = |at: usize, a: usize, b: usize| [a == b, a != b, a < b, a <= b, a > b, a >= b][at];
        let side = |item: usize, k: usize| if item >= 12 { k % 2 } else { k };
        match self {
            Self::Compare(item, at, k, turned) => {
                let (a, b) = (known(*item)?, side(*item, *k));
                Some(if *turned { holds(op(*item, *at), b, a) } else { holds(op(*item, *at), a, b) })
            }
            Self::Items(item, at) => Some(holds(op(*item, *at), known(*item)?, known(item ^ 1)?)),
            Self::Null(item, is) => match record[*item] {
                Seen::Unknown => None,
                Seen::Null => Some(*is),
                Seen::Value(_) => Some(!*is),
            },
            Self::In(item, ks) => known(*item).map(|a| ks.iter().any(|k| side(*item, *k) == a)),
            Self::Alone(item) => known(*item).map(|k| k == 1),
            Self::Not(rule) => rule.judge(record).map(|truth| !truth),
            Self::All(rules) => {
                let truths: Vec<_> = rules.iter().map(|rule| rule.judge(record)).collect();
                if truths.contains(&Some(false)) {
                    Some(false)
                } else {
                    (!truths.contains(&None)).then_some(true)
                }
            }
            Self::Any(rules) => {
                let truths: Vec<_> = rules.iter().map(|rule| rule.judge(record)).collect();
                if truths.contains(&Some(true)) {
                    Some(true)
                } else {
                    (!truths.contains(&None)).then_some(false)
                }
            }
        }
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        4 => (0..14_usize, 0..6_usize, 0..4_usize, any::<bool>()).prop_map(|(i, o, k, t)| Rule::Compare(i, o, k, t)),
        1 => (0..14_usize, 0..6_usize).prop_map(|(i, o)| Rule::Items(i, o)),
        1 => (0..14_usize, any::<bool>()).prop_map(|(i, is)| Rule::Null(i, is)),
        1 => (0..14_usize, prop::collection::vec(0..4_usize, 1..5)).prop_map(|(i, ks)| Rule::In(i, ks)),
        1 => (12..14_usize).prop_map(Rule::Alone),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|rule| Rule::Not(Box::new(rule))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Rule::All),
            prop::collection::vec(inner, 1..4).prop_map(Rule::Any),
        ]
    })
}

fn any_record() -> impl Strategy<Value = Vec<Seen>> {
    let seen = prop_oneof![
        1 => Just(Seen::Unknown),
        1 => Just(Seen::Null),
        4 => (0..4_usize).prop_map(Seen::Value),
    ];
    prop::collection::vec(seen, 14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn judged_as_the_reference_does(rule in any_rule(), record in any_record()) {
        let text = rule.text();
        let filter = parse(&text).unwrap().check(&items()).unwrap();
        let truth = match rule.judge(&record) {
            Some(truth) => Truth::of(truth),
            None => Truth::Unknown,
        };
        prop_assert_eq!(filter.judge(&|index| cell(index, record[index])), truth, "{}", text);
    }
}
