//! Whether a request may be put to a resource: purposes, basis, consent, items, filter, dates, limits (DESIGN.md 9,
//! protocol.md 8); and who answers it.

use std::collections::HashSet;

use chrono::NaiveDate;

use super::{GrantLimits, History, RequestFile};
use crate::error::{Code, Refusal};
use crate::filter;
use crate::grant::decide;
use crate::ids::{PurposeCode, ResourceCode};
use crate::problems::{Problems, line, text};
use crate::resource::{Resource, ShareType};

const MOST_PURPOSES: usize = 20;

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Agreed when submitted, on the standing consent that its publishing recorded.
    AtOnce,
    /// By the provider's reviewer.
    ByProvider,
}

/// Whether the resource can be asked for, and who answers.
pub fn answer(resource: &Resource) -> Result<Answer, Refusal> {
    decide::provider_stands(resource)?;
    decide::open(resource)?;
    match resource.file.share_type {
        ShareType::Unconditional => Ok(Answer::AtOnce),
        ShareType::Conditional => Ok(Answer::ByProvider),
        ShareType::Withheld => {
            let basis = resource.file.withheld_basis.clone().unwrap_or_default();
            Err(Refusal::new(
                Code::ResourceWithheld,
                format!("该信息资源不予共享,依据:{basis}"),
                format!("the resource is withheld from sharing, on the basis of: {basis}"),
            ))
        }
    }
}

/// Everything that is wrong with the request, at once. `today` is the day in the deployment's zone.
pub fn check(file: &RequestFile, resource: &Resource, today: NaiveDate) -> Result<Answer, Refusal> {
    let answer = answer(resource)?;
    let mut problems = Problems::default();
    if file.resource.parse::<ResourceCode>().ok().as_ref() != Some(&resource.code) {
        problems.add(
            Code::Invalid,
            "resource",
            format!("应为 {}", resource.code),
            format!("must be {}", resource.code),
        );
    }
    check_texts(&mut problems, file);
    check_purposes(&mut problems, file);
    check_items(&mut problems, file, resource);
    check_filter(&mut problems, file, resource);
    check_dates(&mut problems, file, today);
    check_limits(&mut problems, &file.limits);
    problems.check().map(|()| answer)
}

fn check_texts(problems: &mut Problems, file: &RequestFile) {
    line(64).check(problems, Code::Invalid, "consumer", &file.consumer);
    text(1000).check(problems, Code::Invalid, "basis", &file.basis);
    line(200).check(problems, Code::Invalid, "consented_by.office", &file.consented_by.office);
    line(200).check(problems, Code::Invalid, "consented_by.document", &file.consented_by.document);
}

fn check_purposes(problems: &mut Problems, file: &RequestFile) {
    if !(1..=MOST_PURPOSES).contains(&file.purposes.len()) {
        problems.add(
            Code::Invalid,
            "purposes",
            format!("应写明 1 至 {MOST_PURPOSES} 个用途"),
            format!("states 1 to {MOST_PURPOSES} purposes"),
        );
    }
    let mut seen = HashSet::new();
    for (place, purpose) in file.purposes.iter().enumerate() {
        let path = format!("purposes[{place}].code");
        if let Err(refusal) = purpose.code.parse::<PurposeCode>() {
            problems.take(path, refusal);
        } else if !seen.insert(&purpose.code) {
            problems.add(Code::Invalid, path, "用途代码重复", "the purpose code is there twice");
        }
        text(500).check(problems, Code::Invalid, &format!("purposes[{place}].text"), &purpose.text);
    }
}

fn check_items(problems: &mut Problems, file: &RequestFile, resource: &Resource) {
    if file.items.is_empty() {
        problems.add(Code::Invalid, "items", "至少申请一个信息项", "asks for at least one item");
    }
    let mut seen = HashSet::new();
    for (place, name) in file.items.iter().enumerate() {
        let path = format!("items[{place}]");
        if !seen.insert(name) {
            problems.add(Code::Invalid, path, "信息项重复", "the item is there twice");
        } else if !resource.file.items.iter().any(|item| item.name == *name) {
            problems.add(
                Code::Invalid,
                path,
                "信息资源没有这个信息项",
                "the resource has no item of this name",
            );
        }
    }
}

/// The consumer's filter names only what it will see whole: else the rows that pass would tell what is hidden.
fn check_filter(problems: &mut Problems, file: &RequestFile, resource: &Resource) {
    let Some(text) = &file.filter else { return };
    let filter = match filter::parse(text).and_then(|expr| expr.check(&resource.file.items)) {
        Ok(filter) => filter,
        Err(refusal) => return problems.take("filter", refusal),
    };
    for item in filter.items().iter().filter_map(|index| resource.file.items.get(*index)) {
        if !file.items.contains(&item.name) {
            problems.add(
                Code::FilterInvalid,
                "filter",
                format!("筛选条件用了没有申请的信息项“{}”", item.name),
                format!("the filter names \"{}\", which is not asked for", item.name),
            );
        } else if item.mask.is_some() {
            problems.add(
                Code::FilterInvalid,
                "filter",
                format!("信息项“{}”以脱敏形式共享,不能用于筛选条件", item.name),
                format!("the filter names \"{}\", which is shared masked only", item.name),
            );
        }
    }
}

fn check_dates(problems: &mut Problems, file: &RequestFile, today: NaiveDate) {
    if file.valid_until.is_some_and(|until| until < today) {
        problems.add(Code::Invalid, "valid_until", "截止日期已过", "lies in the past");
    }
    if matches!(file.history, History::Since(date) if date > today) {
        problems.add(Code::Invalid, "history", "起始日期在未来", "lies in the future");
    }
}

fn check_limits(problems: &mut Problems, limits: &GrantLimits) {
    let given = [
        ("requests_per_second", limits.requests_per_second.map(i64::from)),
        ("records_per_second", limits.records_per_second.map(i64::from)),
        ("bytes_per_second", limits.bytes_per_second.map(i64::from)),
        ("calls_per_day", limits.calls_per_day),
        ("records_per_day", limits.records_per_day),
    ];
    for (name, value) in given {
        if value.is_some_and(|value| value < 1) {
            problems.add(Code::Invalid, format!("limits.{name}"), "至少为 1", "must be at least 1");
        }
    }
}

#[cfg(test)]
mod tests;
