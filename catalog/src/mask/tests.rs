//! Masks by the conventions' own examples, by odd input, and by what no rule may ever do.

use proptest::prelude::*;

use super::*;
use crate::resource::ItemType;

fn masked(mask: Mask, text: &str) -> String {
    by_key(mask, text, &MacKey::new(b"consumer"))
}

fn by_key(mask: Mask, text: &str, pseudonyms: &MacKey) -> String {
    let mut out = Vec::new();
    mask.apply(text, pseudonyms, &mut out);
    String::from_utf8(out).expect("a mask leaves UTF-8")
}

#[test]
fn the_conventions() {
    for (mask, text, left) in [
        (Mask::Name, "张三丰", "张**"),
        (Mask::Name, "买买提·艾力", "买*****"),
        (Mask::CitizenId, "999999180001010016", "9***************16"),
        (Mask::CitizenId, "99999918000101018X", "9***************8X"),
        (Mask::CitizenId, "999999000101001", "9************01"),
        (Mask::Mobile, "10000001234", "100****1234"),
        (Mask::Phone, "02000000078", "0200*****78"),
        (Mask::Phone, "020-00000078", "020-******78"),
        (Mask::Address, "广东省虚构市示例区测试路100号", "广东省虚构市示例********"),
        (Mask::Email, "tester@example.invalid", "t*****@example.invalid"),
        (Mask::Plate, "粤X00000", "粤X0***0"),
        (Mask::Plate, "粤XD00000", "粤XD****0"),
        (Mask::Plate, "粤X0000学", "粤X0***学"),
        (Mask::BankCard, "0000111122223333", "0000 **** **** 3333"),
        (Mask::BankCard, "0000 1111 2222 3333", "0000 **** **** 3333"),
        (Mask::BankCard, "0000111122223333456", "0000 **** **** **** 456"),
        (Mask::BankCard, "000011112", "0000 **** 2"),
        (Mask::Ipv4, "192.0.2.1", "192.*.*.*"),
        (Mask::First, "任意", "任*"),
        (Mask::Blank, "任意", ""),
    ] {
        assert_eq!(masked(mask, text), left, "{mask} {text}");
    }
}

/// docs/filters-and-masks.md: its table names every mask and its examples are true.
#[test]
fn the_page_for_users_is_true() {
    let page = include_str!("../../../docs/filters-and-masks.md");
    let cells =
        |line: &str| line.split(" | ").map(|cell| cell.replace(['|', '`'], "").trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = page.lines().map(cells).filter(|row: &Vec<String>| row.len() == 4).collect();
    let rows = &rows[1..];
    assert_eq!(rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), Mask::ALL.map(Mask::as_str));
    for row in rows.iter().filter(|row| row[0] != "hmac") {
        assert_eq!(masked(Mask::parse(&row[0]).unwrap(), &row[2]), row[3], "{}", row[0]);
    }
}

#[test]
fn what_is_not_recognised_is_blanked() {
    for (mask, text) in [
        (Mask::Name, "张"),
        (Mask::Name, ""),
        (Mask::Name, "10000001234"),
        (Mask::CitizenId, "99999918000101001"),
        (Mask::CitizenId, "99999918000101018x"),
        (Mask::CitizenId, "X99999180001010016"),
        (Mask::CitizenId, "99999900010100X"),
        (Mask::Mobile, "20000001234"),
        (Mask::Mobile, "1000000123"),
        (Mask::Mobile, "+8610000001234"),
        (Mask::Mobile, "1000000123四"),
        (Mask::Phone, "00000078"),
        (Mask::Phone, "12000000078"),
        (Mask::Phone, "020-0000-0078"),
        (Mask::Phone, "02000000078转9"),
        (Mask::Address, "测试路100号院"),
        (Mask::Email, "t@example.invalid"),
        (Mask::Email, "tester@"),
        (Mask::Email, "tester"),
        (Mask::Email, "te ster@example.invalid"),
        (Mask::Email, "tester@example@invalid"),
        (Mask::Plate, "粤X0000"),
        (Mask::Plate, "粤XDD00000"),
        (Mask::Plate, "XX00000"),
        (Mask::Plate, "粤x00000"),
        (Mask::BankCard, "00001111"),
        (Mask::BankCard, "0000-1111-2222"),
        (Mask::BankCard, &"0".repeat(31)),
        (Mask::Ipv4, "192.0.2"),
        (Mask::Ipv4, "192.0.2.256"),
        (Mask::Ipv4, "::1"),
        (Mask::First, "X"),
        (Mask::First, ""),
    ] {
        assert_eq!(masked(mask, text), "", "{mask} {text}");
    }
}

/// HMAC-SHA-256("consumer", "999999180001010016"), first 16 bytes, computed with Python's hmac.
#[test]
fn a_pseudonym_joins_within_one_agency_only() {
    let id = "999999180001010016";
    assert_eq!(masked(Mask::Hmac, id), "f2e721e13f4513eb74ba97b1433ed9fb");
    let of = |agency| {
        let consumer = AgencyId(uuid::Uuid::from_u128(agency));
        by_key(Mask::Hmac, id, &pseudonyms_of(&MacKey::new(b"master"), consumer))
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn words_are_what_files_say() {
    for mask in Mask::ALL {
        assert_eq!(Mask::parse(mask.as_str()), Ok(mask));
        assert_eq!(serde_json::to_value(mask).unwrap(), mask.as_str());
    }
    assert!(Mask::parse("hash").unwrap_err().text.en.contains("there is no mask \"hash\""));
}

#[test]
fn agreeing_adds_and_never_loosens() {
    use Mask::{Blank, First, Hmac, Name};
    let compose = |least, added| Mask::compose("name", least, added);
    assert_eq!(compose(None, None), Ok(None));
    assert_eq!(compose(None, Some(Name)), Ok(Some(Name)));
    assert_eq!(compose(Some(Name), None), Ok(Some(Name)));
    assert_eq!(compose(Some(Name), Some(Name)), Ok(Some(Name)));
    assert_eq!(compose(Some(Name), Some(Hmac)), Ok(Some(Hmac)));
    assert_eq!(compose(Some(Hmac), Some(Blank)), Ok(Some(Blank)));
    assert_eq!(compose(Some(Name), Some(First)).unwrap_err().code, Code::Invalid);
    assert!(compose(Some(First), Some(Name)).is_err());
    assert!(compose(Some(Hmac), Some(Name)).is_err());
    assert!(compose(Some(Blank), Some(Hmac)).is_err());
    for (a, b) in Mask::ALL.into_iter().flat_map(|a| Mask::ALL.map(|b| (a, b))) {
        assert_eq!(a == b, !a.looser_than(b) && !b.looser_than(a), "{a} {b}");
    }
}

#[test]
fn other_types_can_only_be_blanked() {
    let mut item: Item =
        toml::from_str("name = 'born'\ntitle = '出生日期'\ntype = 'D'").expect("an item of a file");
    assert!(Mask::Blank.check(&item).is_ok());
    let refusal = Mask::First.check(&item).unwrap_err();
    assert!(refusal.text.en.contains("\"born\" is not a string"));
    item.kind = ItemType::C;
    assert!(Mask::ALL.into_iter().all(|mask| mask.check(&item).is_ok()));
}

/// Texts near what the rules recognise.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{0,32}",
        "[0-9]{17}[0-9Xx]",
        "1[0-9]{9,11}",
        "0[0-9]{1,3}-?[0-9]{5,9}",
        "[\\PC]{0,4}@[a-z.@]{0,8}",
        "[粤京X][A-Zx][A-Z0-9学]{3,8}",
        "[0-9 ]{0,34}",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        "[一-龥·]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_masked_text_is_empty_or_hides_something(text in any_text()) {
        for mask in Mask::ALL {
            let left = masked(mask, &text);
            if left.is_empty() {
                continue;
            }
            if mask == Mask::Hmac {
                prop_assert_eq!(left.len(), 32);
                continue;
            }
            prop_assert!(left != text || text.contains('*'), "{} let {:?} through", mask, text);
            prop_assert!(left.contains('*'), "{} made {:?} of {:?}", mask, left, text);
            // What is left is the text's own, in its order, with stars between.
            let mut rest = text.chars().filter(|c| *c != ' ');
            for kept in left.chars().filter(|c| !matches!(c, '*' | ' ')) {
                prop_assert!(rest.any(|c| c == kept), "{} made {:?} of {:?}", mask, left, text);
            }
        }
    }

    #[test]
    fn a_mask_is_written_behind_what_is_there(text in any_text()) {
        for mask in Mask::ALL {
            let mut out = "前".as_bytes().to_vec();
            mask.apply(&text, &MacKey::new(b"consumer"), &mut out);
            prop_assert_eq!(out, format!("前{}", masked(mask, &text)).into_bytes());
        }
    }
}
