//! Each rule refuses what breaks it, at the path of the field, and nothing else.

use super::*;
use crate::mask::Mask;
use crate::request::Purpose;
use crate::resource::ResourceState;
use crate::testing::{request_file, resource};

fn today() -> NaiveDate {
    "2026-10-01".parse().unwrap()
}

/// The change is refused at exactly this path.
#[track_caller]
fn only(path: &str, code: Code, change: impl FnOnce(&mut RequestFile)) {
    let mut file = request_file();
    change(&mut file);
    let mut entry = resource();
    entry.file.items[0].mask = Some(Mask::First);
    let refusal = check(&file, &entry, today()).unwrap_err();
    let problems = refusal.extra["problems"].as_array().unwrap();
    let paths: Vec<_> = problems.iter().map(|problem| problem["path"].as_str().unwrap()).collect();
    assert_eq!((paths, refusal.code), (vec![path], code));
}

#[track_caller]
fn fine(change: impl FnOnce(&mut RequestFile)) {
    let mut file = request_file();
    change(&mut file);
    check(&file, &resource(), today()).unwrap();
}

#[test]
fn the_good_request_is_good() {
    fine(|_| {});
    fine(|file| file.resource = "3070220601/000001".to_owned());
    fine(|file| file.items.reverse());
    fine(|file| file.filter = Some("origin == \"JFK\" && dep_delay > 15".to_owned()));
    fine(|file| file.valid_until = Some(today()));
    fine(|file| file.history = History::Since(today()));
}

#[test]
fn the_examples_are_good() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    for name in ["flights.toml", "weather.toml"] {
        let file: RequestFile = toml::from_str(&read(&format!("requests/{name}"))).unwrap();
        let mut entry = resource();
        entry.file = toml::from_str(&read(name)).unwrap();
        entry.code = file.resource.parse().unwrap();
        check(&file, &entry, today()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    }
}

#[test]
fn the_sharing_type_says_who_answers() {
    let mut entry = resource();
    assert_eq!(check(&request_file(), &entry, today()).unwrap(), Answer::ByProvider);
    entry.file.share_type = ShareType::Unconditional;
    assert_eq!(check(&request_file(), &entry, today()).unwrap(), Answer::AtOnce);
    entry.file.share_type = ShareType::Withheld;
    entry.file.withheld_basis = Some("《统计法》第九条".to_owned());
    let refusal = check(&request_file(), &entry, today()).unwrap_err();
    assert_eq!(refusal.code, Code::ResourceWithheld);
    assert!(refusal.text.zh.contains("第九条"));
    entry.file.share_type = ShareType::Unconditional;
    for (state, code) in [
        (ResourceState::Approved, Code::ResourceNotPublished),
        (ResourceState::Suspended, Code::ResourceSuspended),
        (ResourceState::Retired, Code::ResourceRetired),
    ] {
        entry.state = state;
        assert_eq!(check(&request_file(), &entry, today()).unwrap_err().code, code);
    }
}

#[test]
fn a_request_states_purpose_basis_and_consent() {
    only("resource", Code::Invalid, |file| file.resource = "3070220601-000002".to_owned());
    only("consumer", Code::Invalid, |file| file.consumer.clear());
    only("basis", Code::Invalid, |file| file.basis = " ".to_owned());
    only("basis", Code::Invalid, |file| file.basis = "a\u{202e}b".to_owned());
    only("consented_by.office", Code::Invalid, |file| file.consented_by.office.clear());
    only("consented_by.document", Code::Invalid, |file| file.consented_by.document.clear());
    only("purposes", Code::Invalid, |file| file.purposes.clear());
    only("purposes[0].text", Code::Invalid, |file| file.purposes[0].text.clear());
    for code in ["", "Upper", "a b", "用途", &"x".repeat(33)] {
        only("purposes[0].code", Code::InvalidCode, |file| file.purposes[0].code = code.to_owned());
    }
    let again = |file: &mut RequestFile| {
        file.purposes.push(Purpose { code: "delay-weather".to_owned(), text: "再一次".to_owned() });
    };
    only("purposes[1].code", Code::Invalid, again);
}

#[test]
fn items_are_the_resources_and_named_once() {
    only("items", Code::Invalid, |file| file.items.clear());
    only("items[1]", Code::Invalid, |file| file.items[1] = "nothing".to_owned());
    only("items[1]", Code::Invalid, |file| file.items[1] = "origin".to_owned());
}

#[test]
fn the_filter_names_only_what_is_seen_whole() {
    let filter = |text: &str| {
        let text = text.to_owned();
        move |file: &mut RequestFile| file.filter = Some(text)
    };
    only("filter", Code::FilterInvalid, filter("dep_delay >"));
    only("filter", Code::FilterInvalid, filter("dep_delay > \"late\""));
    only("filter", Code::FilterInvalid, filter("tailnum == \"N1\""));
    only("filter", Code::FilterInvalid, filter("dep_delay > 15 && origin == \"JFK\""));
}

#[test]
fn dates_and_limits_make_sense() {
    only("valid_until", Code::Invalid, |file| file.valid_until = today().pred_opt());
    only("history", Code::Invalid, |file| file.history = History::Since(today().succ_opt().unwrap()));
    only("limits.requests_per_second", Code::Invalid, |file| file.limits.requests_per_second = Some(0));
    only("limits.records_per_second", Code::Invalid, |file| file.limits.records_per_second = Some(0));
    only("limits.bytes_per_second", Code::Invalid, |file| file.limits.bytes_per_second = Some(0));
    only("limits.calls_per_day", Code::Invalid, |file| file.limits.calls_per_day = Some(-1));
    only("limits.records_per_day", Code::Invalid, |file| file.limits.records_per_day = Some(0));
    fine(|file| file.limits.records_per_day = Some(1));
}
