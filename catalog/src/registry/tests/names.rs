//! Names, versions, modes and settings as clients write them.

use serde_json::json;

use crate::account::Role;
use crate::compat::{Level, Policy};
use crate::error::{Code, Refusal};
use crate::ids::{Generation, ResourceNumber, TopicName};
use crate::registry::*;
use crate::resource::{ResourceState, ShareType};
use crate::testing::caller;

#[test]
fn a_subject_is_read_and_written_with_its_context() {
    for (text, context, name) in [
        ("orders-value", ".", "orders-value"),
        (":.test:orders", ".test", "orders"),
        (":.test:a:b/c", ".test", "a:b/c"),
        (":.test:", ".test", ""),
        ("a:b", ".", "a:b"),
        ("", ".", ""),
    ] {
        let subject = Subject::read(text);
        assert_eq!((subject.context.as_str(), subject.name.as_str()), (context, name));
        assert_eq!(subject.to_string(), text);
    }
    assert_eq!(Subject::read(":.test").to_string(), ":.test:", "a context without its end");
    for text in ["test", ".test", ":.test:"] {
        let context = Context::parse(text).unwrap();
        assert_eq!(context.qualify("s").to_string(), ":.test:s");
        assert_eq!(context.qualify(":.other:s").to_string(), ":.other:s");
        assert_eq!(context.qualify(":.:s").to_string(), "s", "the default context has a name too");
    }
    assert!(Context::parse(".").unwrap().is_default());
    assert_eq!(Context::default().qualify("s").to_string(), "s");
    for wrong in ["a:b", "*", "a\nb"] {
        assert_eq!(Context::parse(wrong).unwrap_err().error_code(), 42208, "{wrong}");
    }
}

#[test]
fn a_context_may_have_settings_and_no_versions() {
    for (text, registers, sets) in [
        ("s", true, true),
        ("航班-value", true, true),
        (":.c:s", true, true),
        ("", false, true),
        (":.c:", false, true),
        (":.__GLOBAL:", false, true),
        (":.__GLOBAL:s", false, false),
        ("__GLOBAL", false, false),
        ("__EMPTY", false, false),
        ("a\u{1}", false, false),
    ] {
        let subject = Subject::read(text);
        assert_eq!((subject.check().is_ok(), subject.check_setting().is_ok()), (registers, sets), "{text:?}");
    }
    assert!(Subject::read(&"x".repeat(513)).check().is_err());
}

#[test]
fn a_version_is_a_number_or_the_latest() {
    for (text, expected) in [("1", 1), ("2147483647", i32::MAX), ("latest", -1), ("-1", -1)] {
        assert_eq!(VersionId::parse(text).map(VersionId::number), Ok(expected));
    }
    for wrong in ["0", "-2", "2147483648", "one", ""] {
        let refused = VersionId::parse(wrong).unwrap_err();
        assert_eq!(refused.error_code(), 42202);
        assert!(refused.to_string().starts_with(&format!("The specified version '{wrong}' is not a valid")));
    }
}

#[test]
fn prefixes_are_of_one_context_or_of_any() {
    let fits = |prefix: &str, subject: &str| Prefix::read(prefix).fits(&Subject::read(subject));
    assert!(fits(":*:", "s") && fits(":*:", ":.c:s") && fits(":*:s", ":.c:s"));
    assert!(fits("", "s") && !fits("", ":.c:s") && fits(":.c:", ":.c:s"));
    assert!(!fits("S", "s"));
}

#[test]
fn errors_have_the_numbers_and_statuses_that_clients_know() {
    let text = String::new;
    for (wrong, code, status) in [
        (Wrong::SubjectNotFound(text()), 40401, 404),
        (Wrong::Incompatible(text(), Vec::new()), 409, 409),
        (Wrong::InvalidLevel, 42203, 422),
        (Wrong::Denied("Read", text()), 40301, 403),
        (Wrong::Refused(Refusal::new(Code::StoreUnavailable, "", "")), 50001, 500),
        (Wrong::Refused(Refusal::new(Code::StorageFull, "", "")), 50001, 500),
        (Wrong::Refused(Refusal::new(Code::OutcomeUnknown, "", "")), 503, 503),
        (Wrong::Refused(Refusal::new(Code::Forbidden, "", "")), 40301, 403),
        (Wrong::Refused(Refusal::new(Code::RateLimited, "", "")), 42901, 429),
        (Wrong::Refused(Refusal::new(Code::Invalid, "", "")), 422, 422),
    ] {
        assert_eq!((wrong.error_code(), wrong.status()), (code, status), "{wrong:?}");
    }
}

#[test]
fn a_request_sets_what_it_names_and_takes_away_what_is_null() {
    let request = |value: serde_json::Value| value.as_object().unwrap().clone();
    let first = Config::default().updated(&request(json!({"compatibility": "full", "normalize": true})));
    let first = first.unwrap();
    assert_eq!(first.level(), Level::Full);
    assert_eq!(
        serde_json::to_value(&first).unwrap(),
        json!({"compatibilityLevel": "FULL", "normalize": true})
    );
    assert_eq!(
        serde_json::Value::Object(first.as_request()),
        json!({"compatibility": "FULL", "normalize": true})
    );
    let second = first.updated(&request(json!({"normalize": null, "unknown": 1}))).unwrap();
    assert_eq!(second, Config::of_level(Level::Full));
    assert_eq!(first.updated(&request(json!({"compatibility": 7}))), Err(Wrong::InvalidLevel));
    assert_eq!(first.updated(&request(json!({"normalize": "x"}))).unwrap_err().error_code(), 422);
    assert_eq!(Config::default().level(), Level::Backward);
    let logical = Config { compatibility_policy: Some("logical".to_owned()), ..Config::default() };
    assert_eq!((logical.policy(), first.policy()), (Policy::House, Policy::Avro));
}

#[test]
fn modes_say_what_may_be_done() {
    let subject = Subject::read(":.c:s");
    for mode in Mode::ALL {
        assert_eq!(Mode::parse(&mode.as_str().to_lowercase()), Ok(mode));
        assert_eq!(serde_json::to_value(mode).unwrap(), json!(mode.as_str()));
        assert_eq!(mode.check_register(&subject, false).is_ok(), mode == Mode::ReadWrite);
        assert_eq!(mode.check_register(&subject, true).is_ok(), mode.imports());
    }
    assert_eq!(Mode::parse("x").unwrap_err().error_code(), 42204);
    let refused = Mode::ReadOnly.check_writable(&subject).unwrap_err();
    assert_eq!(refused.to_string(), "Subject :.c:s in context :.c: is in read-only mode");
    assert!(Mode::Forward.check_place(&Subject::read(":.__GLOBAL:")).is_ok());
}

#[test]
fn subjects_are_named_as_clients_make_them_of_topics() {
    let topic = |generation| TopicName::records("", ResourceNumber(7), Generation(generation));
    assert_eq!(Part::Value.subject(&topic(1)), "ct.r.7-value");
    assert_eq!(Part::Key.subject(&topic(2)), "ct.r.7.2-key");
    for (subject, free) in [
        ("ct.r.7-value", false),
        ("east-ct.r.7-value", false),
        ("ct.in.1", false),
        ("ct-r", true),
        (":.c:ct.r.7-value", false),
    ] {
        assert_eq!(check_free("east-", &Subject::read(subject)).is_ok(), free, "{subject}");
    }
}

#[test]
fn what_anybody_may_open_is_bounded() {
    let (writer, steward) = (caller(1, 1, &[Role::Integrator]), caller(9, 9, &[Role::Operator]));
    let subject = Subject::read(":.c:s");
    let opens = |who, opened| check_more_contexts(who, opened, &subject).is_ok();
    assert!(opens(&writer, MOST_CONTEXTS - 1) && !opens(&writer, MOST_CONTEXTS));
    assert!(opens(&steward, MOST_CONTEXTS));
    assert!(check_more_subjects(MOST_SUBJECTS - 1).is_ok());
    assert_eq!(check_more_subjects(MOST_SUBJECTS).unwrap_err().error_code(), 42205);
}

#[test]
fn who_sees_and_changes_what() {
    let subject = Subject::read("s");
    let free = Owner::Agency(caller(1, 1, &[]).agency);
    for (who, sees, writes) in [
        (caller(1, 1, &[Role::Integrator]), true, true),
        (caller(1, 2, &[]), true, false),
        (caller(2, 3, &[Role::Integrator]), false, false),
        (caller(9, 9, &[Role::Authority]), true, true),
        (caller(9, 9, &[Role::Auditor]), true, false),
    ] {
        assert_eq!(free.is_seen_by(&who), sees, "{who:?}");
        assert_eq!(free.check_write(&who, "Write", &subject).is_ok(), writes, "{who:?}");
    }
    let of = |state, share_type| {
        Owner::Resource(OfResource {
            number: ResourceNumber(7),
            provider: caller(1, 1, &[]).agency,
            state,
            share_type,
        })
    };
    let other = caller(2, 3, &[Role::Reviewer]);
    let head = caller(1, 1, &[Role::Reviewer]);
    let published = of(ResourceState::Published, ShareType::Conditional);
    assert!(published.is_seen_by(&other));
    assert_eq!(published.check_write(&head, "Delete", &subject).unwrap_err().error_code(), 42205);
    assert!(!of(ResourceState::Published, ShareType::Withheld).is_seen_by(&caller(9, 9, &[Role::Auditor])));
    assert!(!of(ResourceState::Draft, ShareType::Conditional).is_seen_by(&other));
    let retired = of(ResourceState::Retired, ShareType::Conditional);
    assert!(retired.check_write(&head, "Delete", &subject).is_ok());
    assert!(retired.check_forgotten(&subject, false).is_ok());
    assert_eq!(retired.check_forgotten(&subject, true).unwrap_err().error_code(), 42205);
    assert!(free.check_forgotten(&subject, true).is_ok());
    assert_eq!(retired.check_write(&other, "Delete", &subject).unwrap_err().error_code(), 40301);
}
