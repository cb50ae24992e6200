//! Whether a resource file may become an entry: texts, codes, sharing terms (domain.md 2.2, 2.7), items and key.

mod items;
#[cfg(test)]
mod tests;

use super::retention::Retention;
use super::{Kind, Resource, ResourceFile, ShareType};
use crate::error::{Code, Refusal};
use crate::ids::{ClassCode, ResourceNumber};
use crate::problems::{Problems, line, text};
use crate::schema;

/// Everything that is wrong with the file, at once.
pub fn check(file: &ResourceFile) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    check_texts(&mut problems, file);
    check_sharing(&mut problems, file);
    check_retention(&mut problems, file);
    items::check(&mut problems, file);
    if problems.none() {
        // The largest number gives the longest names, so the limit holds for the entry's own number too.
        if let Err(refusal) = schema::value_schema(ResourceNumber(i64::MAX), &file.items) {
            problems.take("items", refusal);
        }
    }
    problems.check()
}

/// Whether the file may take the place of a published entry's. Key and kind make the copies that consumers hold; class,
/// sharing type and retention are what grants and records rest on. What changed items break is `evolution`'s matter.
pub fn check_revision(entry: &Resource, file: &ResourceFile) -> Result<(), Refusal> {
    check(file)?;
    let before = &entry.file;
    let mut problems = Problems::default();
    let fixed = [
        ("class", before.class == file.class),
        ("kind", before.kind == file.kind),
        ("retention", before.retention == file.retention),
        ("share_type", before.share_type == file.share_type),
        ("key", before.key == file.key),
        // Without a schema there is nothing that other items could be compatible with.
        ("items", before.items == file.items || entry.schema.is_some()),
    ];
    for (path, same) in fixed {
        if !same {
            problems.add(
                Code::Invalid,
                path,
                "已发布的信息资源的这一项不能改变",
                "of a published resource this does not change",
            );
        }
    }
    if before.key == file.key && !same_key(entry, file) {
        problems.add(
            Code::Invalid,
            "key",
            "主键项的类型在一代之内不能改变",
            "the types of key items do not change within a generation",
        );
    }
    problems.check()
}

/// The key schema keeps its text for the whole generation (protocol.md 2).
fn same_key(entry: &Resource, file: &ResourceFile) -> bool {
    let key = |file: &ResourceFile| schema::key_schema(entry.number, &file.items, &file.key).ok();
    entry.schema.is_none() || key(&entry.file) == key(file)
}

fn check_texts(problems: &mut Problems, file: &ResourceFile) {
    if let Err(refusal) = file.class.parse::<ClassCode>() {
        problems.take("class", refusal);
    }
    line(500).check(problems, Code::Invalid, "title", &file.title);
    line(64).check(problems, Code::Invalid, "provider", &file.provider);
    text(1000).optional().check(problems, Code::Invalid, "abstract", &file.summary);
    let optional = [
        ("share_condition", &file.share_condition),
        ("share_scope", &file.share_scope),
        ("withheld_basis", &file.withheld_basis),
    ];
    for (path, value) in optional {
        if let Some(value) = value {
            text(500).optional().check(problems, Code::Invalid, path, value);
        }
    }
}

fn check_sharing(problems: &mut Problems, file: &ResourceFile) {
    let given = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.trim().is_empty());
    let mut add = |path: &str, zh: &str, en: &str| problems.add(Code::Invalid, path, zh, en);
    match file.share_type {
        ShareType::Unconditional => {
            if given(&file.share_condition) {
                add(
                    "share_condition",
                    "无条件共享不能有共享条件",
                    "an unconditional resource has no condition",
                );
            }
        }
        ShareType::Conditional => {
            if !given(&file.share_condition) {
                add(
                    "share_condition",
                    "有条件共享应写明共享条件和使用用途",
                    "a conditional resource states its condition and the use it allows",
                );
            }
            if !given(&file.share_scope) {
                add("share_scope", "有条件共享应写明共享范围", "a conditional resource states its scope");
            }
        }
        ShareType::Withheld => check_basis(&mut add, file.withheld_basis.as_deref().unwrap_or("")),
    }
    if file.share_type != ShareType::Withheld && given(&file.withheld_basis) {
        add(
            "withheld_basis",
            "只有不予共享的信息资源才写不予共享依据",
            "only a withheld resource has a basis for withholding",
        );
    }
}

fn check_basis(add: &mut impl FnMut(&str, &str, &str), basis: &str) {
    let lower = basis.to_lowercase();
    if !lower.contains('条') && !lower.contains("article") && !lower.contains("art.") {
        add(
            "withheld_basis",
            "不予共享应写明依据的法律、行政法规或国务院决定及其条款,例:《×××法》第×条",
            "a withheld resource cites the article of law, regulation or State Council decision it rests on",
        );
    }
}

fn check_retention(problems: &mut Problems, file: &ResourceFile) {
    match (file.kind, file.retention.parse::<Retention>()) {
        (_, Err(refusal)) => problems.take("retention", refusal),
        (Kind::Table, Ok(Retention::For(_))) => problems.add(
            Code::Invalid,
            "retention",
            "表(table)的记录必须永久保存,请写 forever",
            "a table's records are kept forever: write forever",
        ),
        _ => {}
    }
}
