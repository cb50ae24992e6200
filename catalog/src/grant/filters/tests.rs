//! Both filters count, and what lies outside the key is known to be.

use super::*;
use crate::testing::resource;

/// A record of the sample resource: origin, flight, tailnum, `dep_delay`, `time_hour`.
fn judge(provider: Option<&str>, consumer: Option<&str>, cells: [Cell<'_>; 5]) -> Truth {
    let filters = Filters::read(provider, consumer, &resource().file.items).unwrap();
    filters.judge(&|index: usize| cells[index])
}

const JFK: [Cell<'static>; 5] =
    [Cell::Text("JFK"), Cell::Int(1), Cell::Null, Cell::Int(20), Cell::Timestamp(0)];

#[test]
fn both_filters_must_pass() {
    let (jfk, late, lga) = (Some("origin == \"JFK\""), Some("dep_delay > 15"), Some("origin == \"LGA\""));
    assert_eq!(judge(None, None, JFK), Truth::True);
    assert_eq!(judge(jfk, late, JFK), Truth::True);
    assert_eq!(judge(lga, late, JFK), Truth::False);
    assert_eq!(judge(late, lga, JFK), Truth::False);
    assert_eq!(judge(Some("tailnum == \"N1\""), jfk, JFK), Truth::Unknown);
}

#[test]
fn with_only_the_key_known_the_rest_is_unknown() {
    let mut key_only = JFK;
    (key_only[2], key_only[3]) = (Cell::Unknown, Cell::Unknown);
    assert_eq!(judge(Some("origin == \"JFK\""), Some("dep_delay > 15"), key_only), Truth::Unknown);
    assert_eq!(judge(Some("origin == \"LGA\""), Some("dep_delay > 15"), key_only), Truth::False);
}

#[test]
fn a_filter_beyond_the_key_is_seen() {
    let entry = resource();
    let beyond = |provider, consumer| {
        Filters::read(provider, consumer, &entry.file.items).unwrap().look_beyond_key(&entry)
    };
    assert!(!beyond(None, None));
    assert!(!beyond(Some("origin == \"JFK\""), Some("flight > 3")));
    assert!(beyond(None, Some("origin == \"JFK\" || dep_delay > 3")));
    assert!(beyond(Some("tailnum != null"), None));
    assert!(Filters::default().none());
}
