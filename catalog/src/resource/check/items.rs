//! Whether items and key make a schema: names, types and their attributes, allowed values, masks, the key.

use std::collections::HashSet;

use crate::error::Code::SchemaRejected;
use crate::problems::{Problems, line};
use crate::resource::{Item, ItemType, Kind, ResourceFile, ShareType};

/// Fields of one schema.
pub const MOST_ITEMS: usize = 2000;
const MOST_KEY_ITEMS: usize = 32;
const MOST_VALUES: usize = 2000;
const MOST_ALIASES: usize = 8;
/// Bytes of all defaults: a record of an older version may be shown with every one.
const MOST_DEFAULTS: usize = 16 << 10;
const LONGEST_NAME: usize = 128;
/// Characters; a record is limited in bytes besides.
const LONGEST_TEXT: u32 = 1_000_000;
/// Digits of the largest Avro long.
const MOST_DIGITS: u32 = 19;
/// Digits that fit into a decimal of 128 bits.
const MOST_PRECISION: u32 = 38;

pub(super) fn check(problems: &mut Problems, file: &ResourceFile) {
    if file.items.len() > MOST_ITEMS {
        problems.add(
            SchemaRejected,
            "items",
            format!("有 {} 个信息项,最多 {MOST_ITEMS}", file.items.len()),
            format!("has {} items, at most {MOST_ITEMS} are allowed", file.items.len()),
        );
        return;
    }
    if file.items.is_empty() && file.share_type != ShareType::Withheld {
        problems.add(SchemaRejected, "items", "至少要有一个信息项", "needs at least one item");
    }
    let mut names = HashSet::new();
    for (place, item) in file.items.iter().enumerate() {
        let at = |field: &str| format!("items[{place}].{field}");
        if !is_avro_name(&item.name) {
            problems.add(
                SchemaRejected,
                at("name"),
                format!("信息项名应为 1 至 {LONGEST_NAME} 个英文字母、数字或“_”,不以数字开头;中文写在 title"),
                format!("a name is 1 to {LONGEST_NAME} of A-Z, a-z, 0-9 and '_', no digit first; other text goes into title"),
            );
        } else if !names.insert(item.name.to_ascii_lowercase()) {
            // Databases that consumers copy into do not tell names apart by case.
            problems.add(
                SchemaRejected,
                at("name"),
                format!("信息项名“{}”重复(不分大小写)", item.name),
                format!("the name \"{}\" is there twice (upper and lower case count as the same)", item.name),
            );
        }
        check_item(problems, item, &at);
    }
    let defaults = file.items.iter().filter_map(|item| item.default.as_ref()?.as_str());
    if defaults.map(str::len).sum::<usize>() > MOST_DEFAULTS {
        problems.add(
            SchemaRejected,
            "items",
            format!("各默认值合计超过 {MOST_DEFAULTS} 字节"),
            format!("the defaults have over {MOST_DEFAULTS} bytes together"),
        );
    }
    check_aliases(problems, file);
    check_key(problems, file);
}

fn is_avro_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let good = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    (1..=LONGEST_NAME).contains(&bytes.len()) && bytes.iter().all(good) && !bytes[0].is_ascii_digit()
}

fn check_item(problems: &mut Problems, item: &Item, at: &impl Fn(&str) -> String) {
    line(200).check(problems, SchemaRejected, &at("title"), &item.title);
    if let Some(unit) = &item.unit {
        line(32).check(problems, SchemaRejected, &at("unit"), unit);
    }
    if !(1..=4).contains(&item.grade) {
        problems.add(
            SchemaRejected,
            at("grade"),
            "分级只有 1 至 4;涉密数据不属于政务数据,不得进入目录",
            "a grade is 1 to 4; secret data has no place in the catalog",
        );
    }
    check_length(problems, item, at);
    check_decimal(problems, item, at);
    check_values(problems, item, at);
    if let Some(Err(refusal)) = item.mask.map(|mask| mask.check(item)) {
        problems.add(SchemaRejected, at("mask"), refusal.text.zh, refusal.text.en);
    }
    if let Some(Err(text)) = item.default_value() {
        problems.add(SchemaRejected, at("default"), text.zh, text.en);
    }
}

/// A reader finds an item by one of its names, and by no other item's.
fn check_aliases(problems: &mut Problems, file: &ResourceFile) {
    let mut taken: HashSet<&str> = file.items.iter().map(|item| item.name.as_str()).collect();
    for (place, item) in file.items.iter().enumerate() {
        if item.aliases.len() > MOST_ALIASES {
            problems.add(
                SchemaRejected,
                format!("items[{place}].aliases"),
                format!("有 {} 个别名,最多 {MOST_ALIASES}", item.aliases.len()),
                format!("has {} aliases, at most {MOST_ALIASES} are allowed", item.aliases.len()),
            );
            continue;
        }
        for (nth, alias) in item.aliases.iter().enumerate() {
            let at = format!("items[{place}].aliases[{nth}]");
            if !is_avro_name(alias) {
                problems.add(
                    SchemaRejected,
                    at,
                    format!("别名应为 1 至 {LONGEST_NAME} 个英文字母、数字或“_”,不以数字开头"),
                    format!("an alias is 1 to {LONGEST_NAME} of A-Z, a-z, 0-9 and '_', no digit first"),
                );
            } else if !taken.insert(alias) {
                problems.add(
                    SchemaRejected,
                    at,
                    format!("“{alias}”已是信息项名或别名"),
                    format!("\"{alias}\" is the name or an alias of an item already"),
                );
            }
        }
    }
}

fn check_length(problems: &mut Problems, item: &Item, at: &impl Fn(&str) -> String) {
    let Some(length) = item.length else { return };
    let most = match item.kind {
        ItemType::C | ItemType::M => LONGEST_TEXT,
        ItemType::I => MOST_DIGITS,
        _ => {
            problems.add(
                SchemaRejected,
                at("length"),
                "只有 C、M、I 类型有长度",
                "only the types C, M and I have a length",
            );
            return;
        }
    };
    if !(1..=most).contains(&length) {
        problems.add(
            SchemaRejected,
            at("length"),
            format!("长度应为 1 至 {most}"),
            format!("the length is 1 to {most}"),
        );
    }
}

fn check_decimal(problems: &mut Problems, item: &Item, at: &impl Fn(&str) -> String) {
    if !matches!(item.kind, ItemType::N | ItemType::Y) {
        for (field, value) in [("precision", item.precision), ("scale", item.scale)] {
            if value.is_some() {
                problems.add(
                    SchemaRejected,
                    at(field),
                    "只有 N、Y 类型有精度和小数位数",
                    "only the types N and Y have precision and scale",
                );
            }
        }
        return;
    }
    match item.precision {
        Some(1..=MOST_PRECISION) => {}
        _ => problems.add(
            SchemaRejected,
            at("precision"),
            format!("N、Y 类型必须写总位数 precision,1 至 {MOST_PRECISION}"),
            format!("the types N and Y need a precision of 1 to {MOST_PRECISION}"),
        ),
    }
    let least = if item.kind == ItemType::Y { 2 } else { 0 };
    let most = item.precision.unwrap_or(MOST_PRECISION);
    if !item.scale.is_some_and(|scale| scale >= least && scale <= most) {
        problems.add(
            SchemaRejected,
            at("scale"),
            format!("必须写小数位数 scale,{least} 至 precision(货币至少 2)"),
            format!("needs a scale of {least} up to the precision (money at least 2)"),
        );
    }
}

fn check_values(problems: &mut Problems, item: &Item, at: &impl Fn(&str) -> String) {
    if item.values.is_empty() {
        return;
    }
    if item.kind != ItemType::C {
        problems.add(SchemaRejected, at("values"), "只有 C 类型可列允许值", "only the type C lists values");
        return;
    }
    if item.values.len() > MOST_VALUES {
        problems.add(
            SchemaRejected,
            at("values"),
            format!("最多 {MOST_VALUES} 个允许值"),
            format!("at most {MOST_VALUES} values are allowed"),
        );
        return;
    }
    let most = item.length.map_or(200, |length| usize::try_from(length).unwrap_or(usize::MAX).min(200));
    let mut seen = HashSet::new();
    for (place, value) in item.values.iter().enumerate() {
        let path = at(&format!("values[{place}]"));
        line(most).check(problems, SchemaRejected, &path, value);
        if !seen.insert(value) {
            problems.add(SchemaRejected, path, "允许值重复", "the value is there twice");
        }
    }
}

fn check_key(problems: &mut Problems, file: &ResourceFile) {
    if file.kind == Kind::Table && file.key.is_empty() && !file.items.is_empty() {
        problems.add(
            SchemaRejected,
            "key",
            "表(table)必须有主键:能唯一标识一行的信息项",
            "a table needs a key: the items that tell its rows apart",
        );
    }
    if file.key.len() > MOST_KEY_ITEMS {
        problems.add(
            SchemaRejected,
            "key",
            format!("主键最多 {MOST_KEY_ITEMS} 个信息项"),
            format!("a key has at most {MOST_KEY_ITEMS} items"),
        );
    }
    let mut seen = HashSet::new();
    for (place, name) in file.key.iter().enumerate() {
        let path = format!("key[{place}]");
        if !seen.insert(name) {
            problems.add(SchemaRejected, path.clone(), "主键项重复", "the item is in the key twice");
        }
        let Some(item) = file.items.iter().find(|item| item.name == *name) else {
            problems.add(
                SchemaRejected,
                path,
                "主键项不在信息项之中",
                "the key names an item that does not exist",
            );
            continue;
        };
        if item.nullable {
            problems.add(SchemaRejected, path.clone(), "主键项不能为空值", "a key item cannot be nullable");
        }
        if item.default.is_some() || !item.aliases.is_empty() {
            problems.add(
                SchemaRejected,
                path.clone(),
                "主键项每条记录都有,名称不变,因此没有默认值和别名",
                "a key item is in every record under one name, so it has no default and no aliases",
            );
        }
        if matches!(item.kind, ItemType::B | ItemType::F) {
            problems.add(
                SchemaRejected,
                path,
                "主键项不能是浮点数",
                "a key item cannot be a floating-point number",
            );
        }
    }
}
