//! The texts of schemas are fixed: ids and fingerprints rest on them.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::testing::{file, item};

const NUMBER: ResourceNumber = ResourceNumber(12);

/// One item of every type, some nullable.
fn every_type() -> Vec<Item> {
    use ItemType::{B, C, D, F, G, I, L, M, N, T, Y};
    let mut items: Vec<_> = [C, N, Y, D, T, L, M, G, B, I, F]
        .into_iter()
        .map(|kind| item(&format!("f_{}", format!("{kind:?}").to_lowercase()), kind))
        .collect();
    items[0].values = vec!["JFK".to_owned(), "含“引号\"".to_owned()];
    items[1].nullable = true;
    items[6].nullable = true;
    items[6].grade = 3;
    items[8].unit = Some("km".to_owned());
    items.push(Item { length: Some(9), nullable: true, ..item("f_int", I) });
    items
}

#[test]
fn the_value_schema_has_title_and_grade_as_properties() {
    let expected = concat!(
        r#"{"type":"record","name":"Value","namespace":"ct.r12","fields":["#,
        r#"{"name":"f_c","type":"string","title":"项f_c","grade":1,"values":["JFK","含“引号\""]},"#,
        r#"{"name":"f_n","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null,"title":"项f_n","grade":1},"#,
        r#"{"name":"f_y","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2},"title":"项f_y","grade":1},"#,
        r#"{"name":"f_d","type":{"type":"int","logicalType":"date"},"title":"项f_d","grade":1},"#,
        r#"{"name":"f_t","type":{"type":"long","logicalType":"timestamp-millis"},"title":"项f_t","grade":1},"#,
        r#"{"name":"f_l","type":"boolean","title":"项f_l","grade":1},"#,
        r#"{"name":"f_m","type":["null","string"],"default":null,"title":"项f_m","grade":3},"#,
        r#"{"name":"f_g","type":"bytes","title":"项f_g","grade":1},"#,
        r#"{"name":"f_b","type":"double","title":"项f_b","grade":1,"unit":"km"},"#,
        r#"{"name":"f_i","type":"long","title":"项f_i","grade":1},"#,
        r#"{"name":"f_f","type":"float","title":"项f_f","grade":1},"#,
        r#"{"name":"f_int","type":["null","int"],"default":null,"title":"项f_int","grade":1}]}"#,
    );
    assert_eq!(value_schema(NUMBER, &every_type()).unwrap(), expected);
}

#[test]
fn the_key_schema_has_names_and_types_only() {
    let mut file = file();
    let expected = concat!(
        r#"{"type":"record","name":"Key","namespace":"ct.r12","fields":["#,
        r#"{"name":"origin","type":"string"},{"name":"flight","type":"long"},"#,
        r#"{"name":"time_hour","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#,
    );
    assert_eq!(key_schema(NUMBER, &file.items, &file.key).unwrap().unwrap(), expected);
    // Nothing of an item but its type can change the key.
    file.items[0].title = "出发地".to_owned();
    file.items[0].grade = 4;
    file.items[0].values = vec!["JFK".to_owned()];
    file.items[0].mask = Some(Mask::Hmac);
    assert_eq!(key_schema(NUMBER, &file.items, &file.key).unwrap().unwrap(), expected);
    assert_eq!(key_schema(NUMBER, &file.items, &[]).unwrap(), None);
    let missing = key_schema(NUMBER, &file.items, &["nothing".to_owned()]).unwrap_err();
    assert_eq!(missing.code, Code::SchemaRejected);
}

#[test]
fn the_derived_schema_projects_and_masks() {
    let items = every_type();
    let granted = ["f_int", "f_c", "f_y", "f_m", "f_d"].map(str::to_owned);
    let masks = [("f_c", Mask::First), ("f_y", Mask::Blank), ("f_m", Mask::Hmac)];
    let masks = masks.into_iter().map(|(name, mask)| (name.to_owned(), mask)).collect();
    let expected = concat!(
        r#"{"type":"record","name":"Value","namespace":"ct.g34","fields":["#,
        r#"{"name":"f_c","type":"string","title":"项f_c","grade":1},"#,
        r#"{"name":"f_y","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null,"title":"项f_y","grade":1},"#,
        r#"{"name":"f_d","type":{"type":"int","logicalType":"date"},"title":"项f_d","grade":1},"#,
        r#"{"name":"f_m","type":["null","string"],"default":null,"title":"项f_m","grade":3},"#,
        r#"{"name":"f_int","type":["null","int"],"default":null,"title":"项f_int","grade":1}]}"#,
    );
    let text = derived_schema(GrantNumber(34), &items, &granted, &masks).unwrap();
    assert_eq!(text, expected);
    assert_eq!(fingerprint(&text), Digest::of(expected.as_bytes()));
}

#[test]
fn a_schema_that_is_too_large_is_refused() {
    let title = "长".repeat(200);
    let items: Vec<_> =
        (0..2000).map(|n| Item { title: title.clone(), ..item(&format!("i{n}"), ItemType::C) }).collect();
    let refusal = value_schema(NUMBER, &items).unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["path"]), (Code::SchemaRejected, &Value::from("items")));
}

proptest! {
    #[test]
    fn every_schema_is_json_with_a_field_for_each_item(
        masked in prop::collection::vec(any::<bool>(), 12),
        granted in prop::collection::vec(any::<bool>(), 12),
        title in "\\PC{1,30}",
    ) {
        let mut items = every_type();
        for item in &mut items {
            item.title.clone_from(&title);
        }
        let names: Vec<_> = items
            .iter()
            .zip(&granted)
            .filter(|(_, granted)| **granted)
            .map(|(item, _)| item.name.clone())
            .collect();
        let masks = items
            .iter()
            .zip(&masked)
            .filter(|(_, masked)| **masked)
            .map(|(item, _)| (item.name.clone(), Mask::Blank))
            .collect::<BTreeMap<_, _>>();
        let text = derived_schema(GrantNumber(1), &items, &names, &masks).unwrap();
        // What Java would write of it, so that a registry keeps every character.
        let read = crate::avro::parse(&text, crate::avro::Rules::RESOURCE).unwrap();
        prop_assert_eq!(read.canonical(), text.clone());
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let fields = parsed["fields"].as_array().unwrap();
        let found: Vec<_> = fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(&found, &names, "a field outside the grant never shows");
        for field in fields {
            prop_assert_eq!(&field["title"], &Value::from(title.clone()));
            let item = items.iter().find(|item| field["name"] == item.name.as_str()).unwrap();
            let blanked = masks.contains_key(&item.name) && !matches!(item.kind, ItemType::C | ItemType::M);
            prop_assert_eq!(field["type"].is_array(), item.nullable || blanked);
            prop_assert_eq!(field.get("default").is_some(), field["type"].is_array());
        }
    }
}

#[test]
fn what_was_written_is_read_back() {
    let items = every_type();
    let schema: Value = serde_json::from_str(&value_schema(NUMBER, &items).unwrap()).unwrap();
    let read = read::items_of(&schema).unwrap();
    let expected: Vec<_> = items
        .iter()
        .map(|item| read::Read { name: item.name.clone(), avro: item.avro(), nullable: item.nullable })
        .collect();
    assert_eq!(read, expected);
    for foreign in [
        r#"{}"#,
        r#"{"fields":[{"name":"a","type":["string","null"]}]}"#,
        r#"{"fields":[{"name":"a","type":{"type":"map"}}]}"#,
    ] {
        assert_eq!(read::items_of(&serde_json::from_str(foreign).unwrap()), None, "{foreign}");
    }
}

#[test]
fn an_avro_text_becomes_items_that_keep_what_it_does_not_say() {
    let mut items = file().items;
    items[2].mask = Some(Mask::First);
    items[2].length = Some(6);
    let text = value_schema(NUMBER, &items).unwrap();
    assert_eq!(adopt(&text, &items).unwrap(), items, "our own text says nothing new");
    let bare = r#"{"type":"record","name":"Flight","fields":[{"name":"origin","type":"string"},
        {"name":"flight","type":"long"},{"name":"tailnum","type":["null","string"],"default":null},
        {"name":"dep_delay","type":["null","long"],"default":null},
        {"name":"time_hour","type":{"type":"long","logicalType":"timestamp-millis"},"title":"计划时刻"},
        {"name":"gate","type":["null","string"],"default":null,"doc":"登机口","grade":2,"values":["A","B"]}]}"#;
    let mut expected = items.clone();
    expected[4].title = "计划时刻".to_owned();
    let gate = Item {
        nullable: true,
        title: "登机口".to_owned(),
        grade: 2,
        values: vec!["A".to_owned(), "B".to_owned()],
        ..item("gate", ItemType::C)
    };
    expected.push(gate);
    assert_eq!(adopt(bare, &items).unwrap(), expected);
    let other = bare.replace("[\"null\",\"long\"]", "[\"null\",\"double\"]");
    let other = adopt(&other, &items).unwrap();
    assert_eq!((other[3].kind, &other[3].title), (ItemType::B, &items[3].title));
}

#[test]
fn an_avro_text_that_cannot_be_items_is_refused_with_its_place() {
    let field = |field: &str| format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#);
    for (text, path) in [
        (field(r#"{"name":"gate","type":"string"}"#), "schema.fields[0]"),
        (field(r#"{"name":"gate","type":{"type":"map","values":"string"},"grade":1}"#), "schema"),
        (field(r#"{"name":"gate","type":["string","null"],"grade":1}"#), "schema"),
        (r#""string""#.to_owned(), "schema"),
        (field(r#"{"name":"a b","type":"string"}"#), "schema.fields[0].name"),
        (field(r#"{"name":"gate","type":"bytes","grade":1,"default":"中"}"#), "schema.fields[0].default"),
        (field(r#"{"name":"gate","type":"string","grade":1,"default":1}"#), "schema.fields[0].default"),
        (field(r#"{"name":"gate","type":"double","grade":1,"default":"NaN"}"#), "schema.fields[0].default"),
        (
            field(
                r#"{"name":"day","type":{"type":"int","logicalType":"date"},"grade":1,"default":2147483647}"#,
            ),
            "schema.fields[0].default",
        ),
    ] {
        let refusal = adopt(&text, &file().items).unwrap_err();
        assert_eq!(
            (refusal.code, &refusal.extra["path"]),
            (Code::SchemaRejected, &Value::from(path)),
            "{text}"
        );
    }
}

/// The items of every type with a default each, and names that some had.
fn with_defaults() -> Vec<Item> {
    let defaults = [
        "\"JFK\"",
        "\"-2.55\"",
        "0.5",
        "\"2013-01-31\"",
        "\"1970-01-01T00:00:00.500Z\"",
        "true",
        "\"两\\n行\"",
        "\"AP+A\"",
        "1e300",
        "9223372036854775807",
        "0.1",
        "-7",
    ];
    let mut items = every_type();
    for (item, default) in items.iter_mut().zip(defaults) {
        item.default = Some(serde_json::from_str(default).unwrap());
    }
    items[0].aliases = vec!["from".to_owned(), "f_0".to_owned()];
    items[6].aliases = vec!["note".to_owned()];
    items
}

#[test]
fn defaults_are_said_as_avro_says_them_and_aliases_behind_them() {
    let expected = concat!(
        r#"{"type":"record","name":"Value","namespace":"ct.r12","fields":["#,
        r#"{"name":"f_c","type":"string","default":"JFK","aliases":["from","f_0"],"title":"项f_c","grade":1,"values":["JFK","含“引号\""]},"#,
        r#"{"name":"f_n","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":"\u0001","title":"项f_n","grade":1},"#,
        r#"{"name":"f_y","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2},"default":"2","title":"项f_y","grade":1},"#,
        r#"{"name":"f_d","type":{"type":"int","logicalType":"date"},"default":15736,"title":"项f_d","grade":1},"#,
        r#"{"name":"f_t","type":{"type":"long","logicalType":"timestamp-millis"},"default":500,"title":"项f_t","grade":1},"#,
        r#"{"name":"f_l","type":"boolean","default":true,"title":"项f_l","grade":1},"#,
        r#"{"name":"f_m","type":["null","string"],"default":"两\n行","aliases":["note"],"title":"项f_m","grade":3},"#,
        r#"{"name":"f_g","type":"bytes","default":"\u0000","title":"项f_g","grade":1},"#,
        r#"{"name":"f_b","type":"double","default":1.0E300,"title":"项f_b","grade":1,"unit":"km"},"#,
        r#"{"name":"f_i","type":"long","default":9223372036854775807,"title":"项f_i","grade":1},"#,
        r#"{"name":"f_f","type":"float","default":0.1,"title":"项f_f","grade":1},"#,
        r#"{"name":"f_int","type":["null","int"],"default":-7,"title":"项f_int","grade":1}]}"#,
    );
    // Characters above ASCII stand as they are, as Java writes them: -255 is FF01, and the three bytes are 00 FF 80.
    let expected = expected.replace("\"\\u0001\"", "\"\u{ff}\\u0001\"");
    let expected = expected.replace("\"\\u0000\"", "\"\\u0000\u{ff}\u{80}\"");
    let text = value_schema(NUMBER, &with_defaults()).unwrap();
    assert_eq!(text, expected);
    let read = crate::avro::parse(&text, crate::avro::Rules::RESOURCE).unwrap();
    assert_eq!(read.canonical(), text);
    assert_eq!(adopt(&text, &with_defaults()).unwrap(), with_defaults(), "our own text says nothing new");
    let key = key_schema(NUMBER, &with_defaults(), &["f_c".to_owned()]).unwrap().unwrap();
    assert!(!key.contains("default") && !key.contains("aliases"), "{key}");
}

#[test]
fn a_masked_item_has_no_default_in_a_derived_schema() {
    let items = with_defaults();
    let granted: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
    let masked: BTreeMap<_, _> =
        [("f_c", Mask::First), ("f_m", Mask::Hmac), ("f_y", Mask::Blank), ("f_i", Mask::Blank)]
            .map(|(name, mask)| (name.to_owned(), mask))
            .into();
    let text = derived_schema(GrantNumber(34), &items, &granted, &masked).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let whole: Value = serde_json::from_str(&value_schema(NUMBER, &items).unwrap()).unwrap();
    for (field, own) in schema["fields"].as_array().unwrap().iter().zip(whole["fields"].as_array().unwrap()) {
        let name = field["name"].as_str().unwrap();
        match (masked.contains_key(name), field["type"].is_array()) {
            (false, _) => assert_eq!(field, own),
            (true, true) => assert_eq!(field["default"], Value::Null),
            (true, false) => assert_eq!(field.get("default"), None, "{name}"),
        }
        assert_eq!(field.get("aliases"), own.get("aliases"));
    }
    let few = derived_schema(GrantNumber(34), &items, &granted[1..2], &BTreeMap::new()).unwrap();
    assert!(!few.contains("JFK") && !few.contains("from"), "of what is not granted nothing is said: {few}");
}

#[test]
fn an_avro_texts_defaults_and_aliases_become_those_of_its_items() {
    let mut items = file().items;
    items[2].mask = Some(Mask::First);
    items[2].grade = 3;
    items[3].default = Some(Value::from(5));
    let text = r#"{"type":"record","name":"Flight","fields":[{"name":"origin","type":"string"},
        {"name":"flight","type":"long"},{"name":"tail","type":["null","string"],"default":null,"aliases":["tailnum"]},
        {"name":"dep_delay","type":["null","long"],"default":null},
        {"name":"time_hour","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"fare","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2},"grade":1,"default":"\u00ff"},
        {"name":"raw","type":"bytes","grade":1,"default":"\u0000\u00ff"},
        {"name":"day","type":["null",{"type":"int","logicalType":"date"}],"grade":1,"default":-1},
        {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"grade":1,"default":500}]}"#;
    let found = adopt(text, &items).unwrap();
    let tail = Item { name: "tail".to_owned(), aliases: vec!["tailnum".to_owned()], ..items[2].clone() };
    assert_eq!(found[2], tail, "renamed, it keeps grade, mask and title");
    assert_eq!(found[3].default, None, "a default that the text does not say is gone");
    let defaults: Vec<_> = found[5..].iter().map(|item| item.default.clone().unwrap()).collect();
    assert_eq!(defaults, ["-0.01", "AP8=", "1969-12-31", "1970-01-01T00:00:00.500Z"]);
    // Where both are there, each is the one of its name.
    let both = text.replace(
        "{\"name\":\"raw\"",
        "{\"name\":\"tailnum\",\"type\":[\"null\",\"string\"]},{\"name\":\"raw\"",
    );
    let refusal = adopt(&both, &items).unwrap_err();
    assert_eq!(refusal.extra["path"], "schema.fields[2]", "an added item says its grade");
}
