//! What is said to be seen is what can be seen, alone and together.

use chrono::FixedOffset;

use super::*;
use crate::grant::make::make;
use crate::request::Agreement;
use crate::testing::{grant, request, resource};

fn now() -> Time {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn terms(resource: &Resource, change: impl FnOnce(&mut crate::request::Request, &mut Agreement)) -> Terms {
    let (mut asked, mut agreement) = (request(), Agreement::default());
    change(&mut asked, &mut agreement);
    make(&asked, resource, &agreement, FixedOffset::east_opt(0).unwrap(), now()).unwrap()
}

fn names(shown: &[Shown]) -> Vec<(&str, Vec<Mask>)> {
    shown.iter().map(|shown| (shown.name.as_str(), shown.masks.clone())).collect()
}

#[test]
fn a_filter_on_key_items_shows_nothing_outside() {
    let entry = resource();
    let terms = terms(&entry, |asked, _| asked.file.filter = Some("origin == \"JFK\"".to_owned()));
    let seen = disclose(&terms, &entry, &[], now()).unwrap();
    assert_eq!(seen.notices, [Notice::Positions]);
    assert_eq!(seen.items, seen.together);
    let expected = ["origin", "flight", "dep_delay", "time_hour"].map(|name| (name, Vec::new()));
    assert_eq!(names(&seen.items), expected);
}

#[test]
fn a_filter_beyond_the_key_shows_rows_outside_unless_forbidden() {
    let entry = resource();
    let by_consumer = terms(&entry, |asked, _| asked.file.filter = Some("dep_delay > 15".to_owned()));
    let seen = disclose(&by_consumer, &entry, &[], now()).unwrap();
    assert_eq!(seen.notices, [Notice::Positions, Notice::RowsOutside]);
    let by_provider = terms(&entry, |_, agreement| agreement.filter = Some("tailnum != null".to_owned()));
    let seen = disclose(&by_provider, &entry, &[], now()).unwrap();
    assert_eq!(seen.notices, [Notice::Positions, Notice::RowsOutside]);
    let forbidden = terms(&entry, |_, agreement| {
        agreement.filter = Some("tailnum != null".to_owned());
        agreement.no_delete_lines = true;
    });
    let seen = disclose(&forbidden, &entry, &[], now()).unwrap();
    assert_eq!(seen.notices, [Notice::Positions, Notice::CopyKeepsRows]);
}

#[test]
fn a_stream_has_no_rows() {
    let mut entry = resource();
    entry.file.kind = Kind::Stream;
    let terms = terms(&entry, |asked, agreement| {
        asked.file.filter = Some("dep_delay > 15".to_owned());
        asked.file.items.remove(0);
        agreement.no_delete_lines = true;
    });
    assert_eq!(disclose(&terms, &entry, &[], now()).unwrap().notices, [Notice::Positions]);
}

#[test]
fn rows_stay_recognisable_where_the_key_is_masked_or_withheld() {
    let entry = resource();
    let masked = terms(&entry, |_, agreement| {
        agreement.masks.insert("origin".to_owned(), Mask::Blank);
    });
    assert_eq!(disclose(&masked, &entry, &[], now()).unwrap().notices, [Notice::Positions, Notice::Handles]);
    let withheld = terms(&entry, |asked, _| asked.file.items = vec!["dep_delay".to_owned()]);
    assert_eq!(
        disclose(&withheld, &entry, &[], now()).unwrap().notices,
        [Notice::Positions, Notice::Handles]
    );
}

#[test]
fn grants_on_one_resource_add_up() {
    let entry = resource();
    let masked = terms(&entry, |asked, agreement| {
        asked.file.items = vec!["origin".to_owned(), "tailnum".to_owned()];
        agreement.masks.insert("origin".to_owned(), Mask::First);
        agreement.masks.insert("tailnum".to_owned(), Mask::First);
    });
    // Another grant shows `origin` whole and `tailnum` under another mask.
    let mut other = grant();
    other.items.push("tailnum".to_owned());
    other.masks.insert("tailnum".to_owned(), Mask::Hmac);
    let mut ended = grant();
    ended.state = GrantState::Revoked;
    let mut foreign = grant();
    foreign.consumer = entry.provider;
    let seen = disclose(&masked, &entry, &[other.clone(), ended, foreign], now()).unwrap();
    assert_eq!(seen.other_grants, [other.number]);
    assert!(seen.notices.contains(&Notice::JoinedByIds));
    assert_eq!(names(&seen.items), [("origin", vec![Mask::First]), ("tailnum", vec![Mask::First])]);
    let together = [
        ("origin", vec![]),
        ("flight", vec![]),
        ("tailnum", vec![Mask::First, Mask::Hmac]),
        ("dep_delay", vec![]),
        ("time_hour", vec![]),
    ];
    assert_eq!(names(&seen.together), together);
    for notice in seen.notices {
        assert!(!notice.text().zh.is_empty() && !notice.text().en.is_empty());
    }
}

#[test]
fn a_grant_on_an_earlier_name_shows_the_same_values() {
    let mut entry = resource();
    let terms = terms(&entry, |_, _| {});
    let mut other = grant();
    other.items = vec!["delayed".to_owned()];
    let held = |entry: &Resource| {
        let mut masked = terms.clone();
        masked.masks.insert("dep_delay".to_owned(), Mask::Blank);
        let seen = disclose(&masked, entry, std::slice::from_ref(&other), now()).unwrap();
        let of = |shown: &[Shown]| {
            shown.iter().find(|shown| shown.name == "dep_delay").map(|shown| shown.masks.clone()).unwrap()
        };
        (of(&seen.items), of(&seen.together))
    };
    assert_eq!(held(&entry), (vec![Mask::Blank], vec![Mask::Blank]));
    entry.file.items[3].aliases = vec!["delayed".to_owned()];
    assert_eq!(held(&entry), (vec![Mask::Blank], Vec::new()), "whole under the other");
}
