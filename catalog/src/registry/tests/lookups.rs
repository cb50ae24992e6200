//! When a schema that was sent is one that is kept.

use super::schema;
use crate::avro::{self, Rules};
use crate::registry::*;

fn found(sent: &str, kept: &str) -> bool {
    let (sent, kept, none) = (schema(sent), schema(kept), Beside::default());
    finds(Side { schema: &sent, beside: &none }, Side { schema: &kept, beside: &none }, 1)
}

fn field(members: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int",{members}}}]}}"#)
}

#[test]
fn the_order_of_properties_and_aliases_does_not_count_anything_else_does() {
    let base = field(r#""doc":"d","aliases":["x","y"],"p":1,"q":{"b":1,"c":2}"#);
    assert!(found(&field(r#""q":{"c":2,"b":1},"p":1,"aliases":["y","x"],"doc":"d""#), &base));
    for other in [
        r#""doc":"e","aliases":["x","y"],"p":1,"q":{"b":1,"c":2}"#,
        r#""doc":"d","aliases":["x"],"p":1,"q":{"b":1,"c":2}"#,
        r#""doc":"d","aliases":["x","y"],"p":2,"q":{"b":1,"c":2}"#,
        r#""doc":"d","aliases":["x","y"],"p":1,"q":{"b":1,"c":2},"default":1"#,
        r#""doc":"d","aliases":["x","y"],"p":1,"q":{"b":1,"c":2},"order":"ignore""#,
    ] {
        assert!(!found(&field(other), &base), "{other}");
    }
    let symbols = |list: &str| format!(r#"{{"type":"enum","name":"E","symbols":[{list}],"default":"A"}}"#);
    assert!(!found(&symbols(r#""A","B""#), &symbols(r#""B","A""#)));
    assert!(!found(r#"["null","int"]"#, r#"["int","null"]"#), "nor is the order of branches free");
}

#[test]
fn a_type_that_holds_itself_is_compared_once() {
    let list = |doc: &str| {
        format!(
            r#"{{"type":"record","name":"L","fields":[{{"name":"next","type":["null","L"]}},{{"name":"v","type":"int","doc":"{doc}"}}]}}"#
        )
    };
    assert!(found(&list("x"), &list("x")));
    assert!(!found(&list("x"), &list("y")));
}

#[test]
fn sent_whole_it_finds_what_refers_to_others() {
    let city = r#"{"type":"record","name":"City","namespace":"t","fields":[]}"#;
    let place = r#"{"type":"record","name":"Place","namespace":"t","fields":[{"name":"c","type":"City"}]}"#;
    let kept = avro::parse_with(place, &[city], Rules::STORED).unwrap();
    let whole = schema(&kept.resolved());
    let reference = |version| Reference { name: "t.City".to_owned(), subject: "city".to_owned(), version };
    let with = |references| Beside { references, ..Beside::default() };
    let (none, one, two) = (with(Vec::new()), with(vec![reference(1)]), with(vec![reference(2)]));
    let side = |schema, beside| Side { schema, beside };
    assert!(finds(side(&whole, &none), side(&kept, &one), 1));
    assert!(finds(side(&kept, &one), side(&kept, &one), 1));
    assert!(!finds(side(&kept, &two), side(&kept, &one), 1), "another version of what it refers to");
    assert!(!finds(side(&kept, &one), side(&whole, &none), 1), "not the other way round");
}

#[test]
fn a_number_of_the_clients_own_counts_only_where_both_say_it() {
    let text = schema("\"int\"");
    let numbered = |number: Option<&str>| {
        let properties = number.map(|n| (VERSION_PROPERTY.to_owned(), n.to_owned())).into_iter().collect();
        Beside { metadata: Some(Metadata { properties, ..Metadata::default() }), ..Beside::default() }
    };
    let none = Beside::default();
    let finds_at = |sent: &Beside, kept: &Beside, version| {
        finds(Side { schema: &text, beside: sent }, Side { schema: &text, beside: kept }, version)
    };
    assert!(finds_at(&none, &numbered(Some("2")), 2));
    assert!(finds_at(&numbered(Some("2")), &none, 2), "the number it has");
    assert!(!finds_at(&numbered(Some("2")), &none, 1));
    assert!(!finds_at(&numbered(Some("2")), &numbered(Some("3")), 3));
}
