//! Identifiers by the vectors of domain.md 3.1, and by going through text and back.

use proptest::prelude::*;

use super::*;

#[test]
fn resource_codes_by_the_vectors() {
    for (text, kind, group, family, leaf, sequence) in [
        ("3070220601/000001", "3", "07", "022", "0601", 1),
        ("303003/12", "3", "03", "003", "", 12),
        ("2010010203/7", "2", "01", "001", "0203", 7),
    ] {
        let code: ResourceCode = text.parse().unwrap();
        let class = code.class();
        assert_eq!((class.kind(), class.group(), class.family(), class.leaf()), (kind, group, family, leaf));
        assert_eq!(code.sequence(), sequence);
    }
    for bad in [
        "30702/1",
        "4070220601/1",
        "0070220601/1",
        "3070220601",
        "3070220601/",
        "3070220601/00A",
        "3070220601/1/2",
        "3070220601/-1",
        "3070220601/ 1",
        "3070220601/\u{ff11}",
        "3070220601/99999999999999999999",
        "/1",
        "",
    ] {
        let refusal = bad.parse::<ResourceCode>().unwrap_err();
        assert_eq!(refusal.code, Code::InvalidCode, "{bad}");
    }
}

#[test]
fn a_sequence_is_compared_as_a_number_and_shown_padded() {
    let code = |text: &str| text.parse::<ResourceCode>().unwrap();
    assert_eq!(code("3070220601/1"), code("3070220601-000001"));
    assert_eq!(code("3070220601/1").to_string(), "3070220601/000001");
    assert_eq!(code("3070220601/1").dashed(), "3070220601-000001");
    assert!(code("3070220601/9") < code("3070220601/10"));
    assert_eq!(code("3070220601/12345678").to_string(), "3070220601/12345678");
}

#[test]
fn aliases() {
    for good in ["a", "transport-stats", "agency2", &"a".repeat(32)] {
        assert_eq!(good.parse::<Alias>().unwrap().as_str(), good);
    }
    for bad in ["", "2a", "-a", "A", "a_b", "交通", &"a".repeat(33)] {
        assert_eq!(bad.parse::<Alias>().unwrap_err().code, Code::InvalidCode, "{bad}");
    }
}

#[test]
fn topics_hold_numbers_only() {
    let topic = |generation| TopicName::records("", ResourceNumber(12), Generation(generation));
    assert_eq!(topic(1).as_str(), "ct.r.12");
    assert_eq!(topic(2).as_str(), "ct.r.12.2");
    assert_eq!(TopicName::quarantine("test-", ResourceNumber(12)).as_str(), "test-ct.q.12");
}

proptest! {
    #[test]
    fn codes_come_back(class in "[1-3][0-9]{5,20}", sequence in 0..i64::MAX) {
        let code = ResourceCode::new(class.parse().unwrap(), sequence);
        prop_assert_eq!(&code.to_string().parse::<ResourceCode>().unwrap(), &code);
        prop_assert_eq!(&code.dashed().parse::<ResourceCode>().unwrap(), &code);
        let json = serde_json::to_string(&code).unwrap();
        prop_assert_eq!(serde_json::from_str::<ResourceCode>(&json).unwrap(), code);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,50}") {
        let _ = (text.parse::<ResourceCode>(), text.parse::<ClassCode>(), text.parse::<Alias>());
        prop_assert!(text.parse::<AgencyId>().is_err());
    }
}
