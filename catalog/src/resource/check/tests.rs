//! Each rule refuses what breaks it, at the path of the field, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::mask::Mask;
use crate::resource::{Item, ItemType};
use crate::testing::{file, item, resource};

/// The paths refused after a change of the good file, and the code.
fn refused(change: impl FnOnce(&mut ResourceFile)) -> (Option<Code>, Vec<String>) {
    let mut file = file();
    change(&mut file);
    match check(&file) {
        Ok(()) => (None, Vec::new()),
        Err(refusal) => {
            let problems = refusal.extra["problems"].as_array().unwrap();
            let paths = problems.iter().map(|problem| problem["path"].as_str().unwrap().to_owned());
            (Some(refusal.code), paths.collect())
        }
    }
}

/// The change is refused at exactly this path.
#[track_caller]
fn only(path: &str, code: Code, change: impl FnOnce(&mut ResourceFile)) {
    assert_eq!(refused(change), (Some(code), vec![path.to_owned()]));
}

#[track_caller]
fn fine(change: impl FnOnce(&mut ResourceFile)) {
    assert_eq!(refused(change), (None, Vec::new()));
}

#[test]
fn the_good_file_is_good() {
    fine(|_| {});
}

#[test]
fn the_examples_are_good() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let file: ResourceFile = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            check(&file).unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
            read += 1;
        }
    }
    assert!(read > 0);
}

#[test]
fn texts_have_limits() {
    only("class", Code::InvalidCode, |file| file.class = "4070220601".to_owned());
    only("class", Code::InvalidCode, |file| file.class = "30702".to_owned());
    only("title", Code::Invalid, |file| file.title = "  ".to_owned());
    only("title", Code::Invalid, |file| file.title = "题".repeat(501));
    fine(|file| file.title = "题".repeat(500));
    only("title", Code::Invalid, |file| file.title = "两\n行".to_owned());
    only("title", Code::Invalid, |file| file.title = "a\u{0}b".to_owned());
    only("title", Code::Invalid, |file| file.title = "a\u{202e}b".to_owned());
    only("title", Code::Invalid, |file| file.title = "机密★某表".to_owned());
    fine(|file| file.summary = "两\n行".to_owned());
    only("abstract", Code::Invalid, |file| file.summary = "字".repeat(1001));
    only("abstract", Code::Invalid, |file| file.summary = "a\u{2066}b".to_owned());
    only("share_scope", Code::Invalid, |file| file.share_scope = Some("字".repeat(501)));
    only("provider", Code::Invalid, |file| file.provider = String::new());
}

#[test]
fn the_sharing_type_says_what_must_stand_beside_it() {
    only("share_condition", Code::Invalid, |file| file.share_condition = None);
    only("share_scope", Code::Invalid, |file| file.share_scope = Some(" ".to_owned()));
    only("withheld_basis", Code::Invalid, |file| file.withheld_basis = Some("第九条".to_owned()));
    only("share_condition", Code::Invalid, |file| file.share_type = ShareType::Unconditional);
    fine(|file| {
        file.share_type = ShareType::Unconditional;
        file.share_condition = None;
    });
    only("withheld_basis", Code::Invalid, |file| file.share_type = ShareType::Withheld);
    only("withheld_basis", Code::Invalid, |file| {
        file.share_type = ShareType::Withheld;
        file.withheld_basis = Some("不宜共享".to_owned());
    });
    for basis in ["《统计法》第九条", "Article 9 of the Statistics Law"] {
        fine(|file| {
            file.share_type = ShareType::Withheld;
            file.withheld_basis = Some(basis.to_owned());
            file.items.clear();
            file.key.clear();
        });
    }
}

#[test]
fn a_table_is_kept_forever_and_a_stream_as_it_says() {
    only("retention", Code::Invalid, |file| file.retention = "90d".to_owned());
    for retention in ["90d", "forever", "P90D"] {
        fine(|file| {
            file.kind = Kind::Stream;
            file.retention = retention.to_owned();
        });
    }
    only("retention", Code::Invalid, |file| {
        file.kind = Kind::Stream;
        file.retention = "soon".to_owned();
    });
}

#[test]
fn items_have_ascii_names_of_their_own() {
    for name in ["", "起飞", "a-b", "1a", "a.b", "a b", &"x".repeat(129)] {
        only("items[3].name", Code::SchemaRejected, |file| file.items[3].name = name.to_owned());
    }
    only("items[3].name", Code::SchemaRejected, |file| file.items[3].name = "TailNum".to_owned());
    fine(|file| file.items[3].name = "_x1".to_owned());
    only("items", Code::SchemaRejected, |file| {
        file.items.extend((0..1996).map(|n| item(&format!("i{n}"), ItemType::C)));
    });
    assert_eq!(refused(|file| file.items.clear()).0, Some(Code::SchemaRejected));
}

#[test]
fn secret_data_is_refused() {
    for grade in [0, 5, 255] {
        only("items[2].grade", Code::SchemaRejected, |file| file.items[2].grade = grade);
    }
    only("items[2].title", Code::SchemaRejected, |file| file.items[2].title = "绝密★年限".to_owned());
}

#[test]
fn types_have_their_own_attributes_and_no_others() {
    let with = |changed: Item| move |file: &mut ResourceFile| file.items[2] = changed;
    let decimal = |precision, scale| Item { precision, scale, ..item("amount", ItemType::N) };
    fine(with(decimal(Some(38), Some(0))));
    fine(with(decimal(Some(5), Some(5))));
    only("items[2].precision", Code::SchemaRejected, with(decimal(None, Some(2))));
    only("items[2].precision", Code::SchemaRejected, with(decimal(Some(39), Some(2))));
    only("items[2].scale", Code::SchemaRejected, with(decimal(Some(5), None)));
    only("items[2].scale", Code::SchemaRejected, with(decimal(Some(5), Some(6))));
    let money = |scale| Item { precision: Some(9), scale: Some(scale), ..item("amount", ItemType::Y) };
    only("items[2].scale", Code::SchemaRejected, with(money(1)));
    fine(with(money(2)));
    only(
        "items[2].precision",
        Code::SchemaRejected,
        with(Item { precision: Some(3), ..item("x", ItemType::I) }),
    );
    only("items[2].length", Code::SchemaRejected, with(Item { length: Some(3), ..item("x", ItemType::D) }));
    only("items[2].length", Code::SchemaRejected, with(Item { length: Some(0), ..item("x", ItemType::C) }));
    only("items[2].length", Code::SchemaRejected, with(Item { length: Some(20), ..item("x", ItemType::I) }));
    let values = |kind, values: &[&str]| Item {
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        ..item("x", kind)
    };
    fine(with(values(ItemType::C, &["a", "b"])));
    only("items[2].values", Code::SchemaRejected, with(values(ItemType::M, &["a"])));
    only("items[2].values[1]", Code::SchemaRejected, with(values(ItemType::C, &["a", "a"])));
    only("items[2].values[0]", Code::SchemaRejected, with(values(ItemType::C, &[""])));
}

#[test]
fn a_mask_fits_its_type() {
    fine(|file| file.items[2].mask = Some(Mask::Name));
    fine(|file| file.items[3].mask = Some(Mask::Blank));
    only("items[3].mask", Code::SchemaRejected, |file| file.items[3].mask = Some(Mask::Mobile));
    only("items[3].mask", Code::SchemaRejected, |file| file.items[3].mask = Some(Mask::Hmac));
}

#[test]
fn a_key_tells_rows_apart() {
    only("key", Code::SchemaRejected, |file| file.key.clear());
    fine(|file| {
        file.kind = Kind::Stream;
        file.key.clear();
    });
    only("key[0]", Code::SchemaRejected, |file| file.key[0] = "nothing".to_owned());
    only("key[1]", Code::SchemaRejected, |file| file.key[1] = "origin".to_owned());
    only("key[0]", Code::SchemaRejected, |file| file.key[0] = "tailnum".to_owned());
    for kind in [ItemType::B, ItemType::F] {
        only("key[1]", Code::SchemaRejected, |file| file.items[1].kind = kind);
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let (code, paths) = refused(|file| {
        file.title.clear();
        file.share_scope = None;
        file.items[0].grade = 9;
        file.key[2] = "nothing".to_owned();
    });
    assert_eq!(code, Some(Code::Invalid), "problems of several kinds");
    assert_eq!(paths, ["title", "share_scope", "items[0].grade", "key[2]"]);
    let mut file = file();
    file.title.clear();
    let refusal = check(&file).unwrap_err();
    assert_eq!(refusal.extra["path"], "title");
    assert!(!refusal.extra["problems"][0]["reason"]["zh"].as_str().unwrap().is_empty());
}

#[test]
fn a_revision_keeps_what_records_and_grants_rest_on() {
    let entry = resource();
    let mut after = entry.file.clone();
    after.title = "航班运行信息(修订)".to_owned();
    after.update_cycle = super::super::UpdateCycle::Hourly;
    after.share_scope = Some("应急部门".to_owned());
    check_revision(&entry, &after).unwrap();
    type Change = fn(&mut ResourceFile);
    let changes: [(&str, Change); 5] = [
        ("class", |file| file.class = "307022".to_owned()),
        ("kind", |file| file.kind = Kind::Stream),
        ("share_type", |file| {
            file.share_type = ShareType::Unconditional;
            file.share_condition = None;
        }),
        ("key", |file| file.key.swap(0, 1)),
        ("key", |file| file.items[1].length = Some(9)),
    ];
    for (path, change) in changes {
        let mut after = entry.file.clone();
        change(&mut after);
        let refusal = check_revision(&entry, &after).unwrap_err();
        assert_eq!((&refusal.extra["path"], &refusal.extra["total"]), (&path.into(), &1.into()));
    }
    let mut after = entry.file.clone();
    after.items[0].title = "出发".to_owned();
    after.items.remove(3);
    check_revision(&entry, &after).unwrap();
    let unschemed = Resource { schema: None, ..entry };
    assert_eq!(check_revision(&unschemed, &after).unwrap_err().extra["path"], "items");
}

proptest! {
    #[test]
    fn no_file_breaks_the_check_and_what_passes_makes_schemas(
        name in "[a-zA-Z0-9_é ]{0,8}",
        title in "\\PC{0,20}",
        length in prop::option::of(0u32..50),
        (precision, scale) in (prop::option::of(0u32..50), prop::option::of(0u32..50)),
        kind in prop::sample::select(vec![ItemType::C, ItemType::N, ItemType::Y, ItemType::D, ItemType::I, ItemType::F]),
        nullable in any::<bool>(),
        values in prop::collection::vec("[ab]{0,2}", 0..3),
        key in prop::collection::vec("[a-z]{1,6}", 0..3),
    ) {
        let mut file = file();
        file.items[4] = Item { title, length, precision, scale, nullable, values, ..item(&name, kind) };
        file.key.truncate(2);
        file.key.extend(key);
        if check(&file).is_ok() {
            let value = schema::value_schema(ResourceNumber(1), &file.items).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok());
            prop_assert!(schema::key_schema(ResourceNumber(1), &file.items, &file.key).unwrap().is_some());
        }
    }
}

/// A file whose last item but two is of the kind, with the default.
fn with_default(kind: ItemType, default: serde_json::Value) -> impl FnOnce(&mut ResourceFile) {
    move |file| file.items[3] = Item { default: Some(default), ..item("x", kind) }
}

#[test]
fn a_default_is_a_value_of_its_item() {
    use ItemType::{B, C, D, F, G, I, L, M, N, T, Y};
    use serde_json::json;
    let good = [
        (C, json!("")),
        (M, json!("两\n行")),
        (I, json!(i64::MAX)),
        (N, json!("-0.5")),
        (N, json!(12)),
        (Y, json!(0.25)),
        (D, json!("2013-01-31")),
        (T, json!("2013-01-31T08:00:00.5+08:00")),
        (L, json!(false)),
        (G, json!("AP+A")),
        (B, json!(1e300)),
        (B, json!(-1)),
        (F, json!(0.1)),
        (C, json!("字".repeat(341))),
    ];
    for (kind, default) in good {
        fine(with_default(kind, default));
    }
    let bad = [
        (C, json!(1)),
        (C, json!("a\u{0}b")),
        (C, json!("字".repeat(342))),
        (I, json!("1")),
        (I, json!(1.5)),
        (I, json!(u64::MAX)),
        (N, json!("0.001")),
        (N, json!("12345678901")),
        (N, json!(1e300)),
        (N, json!("1e3")),
        (N, json!(0.123_456_789_012_345_68)),
        (Y, json!("元")),
        (D, json!("2013-02-29")),
        (D, json!(15_736)),
        (T, json!("2013-01-31")),
        (L, json!("true")),
        (L, json!(0)),
        (G, json!("A")),
        (G, json!("A".repeat(1372))),
        (B, json!("1.5")),
        (B, json!(0.123_456_789_012_345_68)),
        (F, json!(1e300)),
        (B, json!(9_007_199_254_740_993_i64)),
        (C, json!(["A"])),
        (C, json!({ "$__toml_private_datetime": "2013-01-31" })),
    ];
    for (kind, default) in bad {
        only("items[3].default", Code::SchemaRejected, with_default(kind, default));
    }
    let coded = |default: &str| {
        let (values, default) = (vec!["A".to_owned(), "B".to_owned()], Some(default.into()));
        move |file: &mut ResourceFile| file.items[3] = Item { values, default, ..item("x", C) }
    };
    fine(coded("B"));
    only("items[3].default", Code::SchemaRejected, coded("C"));
    let long = |length, kind, default: serde_json::Value| {
        move |file: &mut ResourceFile| {
            file.items[3] = Item { length: Some(length), default: Some(default), ..item("x", kind) };
        }
    };
    fine(long(3, C, json!("三个字")));
    only("items[3].default", Code::SchemaRejected, long(2, C, json!("三个字")));
    fine(long(2, I, json!(-99)));
    only("items[3].default", Code::SchemaRejected, long(2, I, json!(100)));
}

#[test]
fn the_defaults_of_a_file_are_short_together() {
    let with = |many: usize| {
        move |file: &mut ResourceFile| {
            let long =
                |n| Item { default: Some("x".repeat(1024).into()), ..item(&format!("x{n}"), ItemType::C) };
            file.items.extend((0..many).map(long));
        }
    };
    fine(with(16));
    only("items", Code::SchemaRejected, with(17));
}

#[test]
fn an_alias_is_a_name_of_one_item() {
    let aliases = |place: usize, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        move |file: &mut ResourceFile| file.items[place].aliases = names
    };
    fine(aliases(3, &["delay", "Dep_delay", "_d1"]));
    fine(aliases(3, &["a", "b", "c", "d", "e", "f", "g", "h"]));
    only(
        "items[3].aliases",
        Code::SchemaRejected,
        aliases(3, &["a", "b", "c", "d", "e", "f", "g", "h", "i"]),
    );
    for (at, names) in
        [(0, &["延误"][..]), (0, &["tailnum"]), (0, &["dep_delay"]), (1, &["a", "a"]), (0, &[""])]
    {
        only(&format!("items[3].aliases[{at}]"), Code::SchemaRejected, aliases(3, names));
    }
    only("items[3].aliases[0]", Code::SchemaRejected, |file| {
        file.items[2].aliases = vec!["delay".to_owned()];
        file.items[3].aliases = vec!["delay".to_owned()];
    });
}

#[test]
fn a_key_item_has_neither_default_nor_alias() {
    only("key[0]", Code::SchemaRejected, |file| file.items[0].default = Some("JFK".into()));
    only("key[1]", Code::SchemaRejected, |file| file.items[1].aliases = vec!["number".to_owned()]);
}
