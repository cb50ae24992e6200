//! `changtong schema check FILE`: what a changed resource file or Avro schema would break, and for whom.

use std::path::PathBuf;

use changtong_catalog::error::Text;
use changtong_catalog::resource::ResourceFile;
use clap::Args;
use serde_json::{Value, json};

use super::super::connection::{language, spoken};
use super::super::failure::{Done, Failure};
use super::super::files::{in_path, read_text, read_toml};
use super::super::output::{Column, Output, table};
use super::super::resource::find;
use super::super::text;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Check {
    /// A resource file, or an Avro schema (.avsc); if not said, the revision of --resource that waits
    file: Option<PathBuf>,
    /// Code of the resource; of a resource file it is found by provider, class and title
    #[arg(long, value_name = "CODE")]
    resource: Option<String>,
}

pub async fn run(check: &Check, client: &Client, output: Output) -> Done {
    let (code, body) = proposed(check, client).await?;
    let report = client.post(&format!("/resources/{}/schema/check", in_path(&code)), &body).await?.body;
    match output {
        Output::Json => output.object(&report, &[])?,
        Output::Table => show(&report),
    }
    if report.get("compatible") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    Err(Failure::Breaks(spoken(Text::new(
        "此变更不兼容,不能生效:须先征求使用方意见,而目录目前还没有这一步骤",
        "the change breaks what is there and is not put in force: it needs the consultation of the consumers, a step that \
         the catalog does not have yet",
    ))))
}

async fn proposed(check: &Check, client: &Client) -> Done<(String, Value)> {
    let named = || {
        check.resource.clone().ok_or_else(|| {
            Failure::Usage(
                "only a resource file says of which resource it is: name the resource by --resource".into(),
            )
        })
    };
    let Some(path) = &check.file else { return Ok((named()?, json!({}))) };
    if path.extension().is_some_and(|extension| extension == "avsc") {
        return Ok((named()?, json!({ "schema": read_text(path)? })));
    }
    let file: ResourceFile = read_toml(path)?;
    let found = find(check.resource.as_ref(), &file, client, "--resource").await?;
    let code = found.ok_or_else(|| {
        Failure::Failed(
            "the catalog has no entry of this provider, class and title; where the title changes, name the entry by \
             --resource"
                .into(),
        )
    })?;
    Ok((code, json!({ "file": file })))
}

const CHANGES: [Headed; 3] =
    [("ITEM", "信息项", "/item"), ("CHANGE", "变更", "/fate"), ("OF", "改动之处", "/members")];
const BREAKS: [Headed; 5] = [
    ("ITEM", "信息项", "/path"),
    ("VERSION", "版本", "/version"),
    ("RULE", "规则", "/rule"),
    ("REASON", "原因", "/reason"),
    ("WHY", "说明", "/why"),
];
const GRANTS: [Headed; 7] = [
    ("GRANT", "授权", "/number"),
    ("CONSUMER", "使用方", "/consumer"),
    ("STATE", "状态", "/state"),
    ("SUBSCRIPTIONS", "订阅", "/subscriptions"),
    ("USES", "所用信息项", "/uses"),
    ("DERIVED SCHEMA", "派生模式", "/derived"),
    ("BREAKS", "不兼容之处", "/broken"),
];

/// A column with its heading in both languages.
type Headed = (&'static str, &'static str, &'static str);

fn show(report: &Value) {
    println!("{}", spoken(told(report)));
    let list = |name: &str| report.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    section(&list("changes"), &CHANGES);
    section(&list("breaks").into_iter().flat_map(with_reasons).collect::<Vec<_>>(), &BREAKS);
    let omitted = report.get("omitted").and_then(Value::as_u64).unwrap_or_default();
    if omitted > 0 {
        let (zh, en) = (format!("另有 {omitted} 处不同,未列出"), format!("and {omitted} more differences"));
        println!("{}", spoken(Text::new(zh, en)));
    }
    let grants = list("grants");
    section(&grants.iter().map(grant).collect::<Vec<_>>(), &GRANTS);
    let total = report.get("grants_total").and_then(Value::as_u64).unwrap_or_default();
    let more = total.saturating_sub(grants.len() as u64);
    if more > 0 {
        println!("{}", spoken(Text::new(format!("另有 {more} 个授权"), format!("and {more} more grants"))));
    }
}

fn section(rows: &[Value], columns: &[Headed]) {
    if !rows.is_empty() {
        println!();
        print!("{}", table(rows, &columns.iter().map(headed).collect::<Vec<_>>()));
    }
}

fn headed(&(en, zh, at): &Headed) -> Column {
    (if language() == "zh" { zh } else { en }, at)
}

fn told(report: &Value) -> Text {
    let (code, level) = (text(report, "/resource"), text(report, "/level"));
    let is = |member: &str| report.get(member) == Some(&Value::Bool(true));
    let version = report.get("version").and_then(Value::as_i64).unwrap_or_default();
    let (zh, en) = match (is("compatible"), is("new_schema")) {
        (false, _) => ("不兼容".to_owned(), "the change breaks what is there".to_owned()),
        (true, false) => ("模式不变".to_owned(), "the schema stays as it is".to_owned()),
        (true, true) => (
            format!("兼容,将生效为第 {} 版", version + 1),
            format!("the change breaks nothing and would be version {}", version + 1),
        ),
    };
    Text::new(
        format!("{code}:{zh}(兼容级别 {level},现行第 {version} 版)"),
        format!("{code}: {en} (level {level}, version {version} is in force)"),
    )
}

/// In the language of the terminal; below it a line for each branch of a union that does not take it.
fn with_reasons(mut found: Value) -> Vec<Value> {
    found["why"] = text(&found, &format!("/{}", language())).into();
    let because = found.get("because").and_then(Value::as_array).cloned().unwrap_or_default();
    let reason =
        |reason: &Value| json!({ "why": format!("  {}", text(reason, &format!("/{}", language()))) });
    let reasons: Vec<Value> = because.iter().map(reason).collect();
    std::iter::once(found).chain(reasons).collect()
}

fn grant(grant: &Value) -> Value {
    let consumer = ["/consumer/alias", "/consumer/code", "/consumer/name"];
    let consumer = consumer.into_iter().map(|at| text(grant, at)).find(|name| !name.is_empty());
    let changes = grant.get("derived_schema_changes") == Some(&Value::Bool(true));
    let mut broken: Vec<String> = Vec::new();
    for found in grant.get("breaks").and_then(Value::as_array).into_iter().flatten() {
        let word = format!("{}: {}", text(found, "/path"), text(found, "/reason"));
        if !broken.contains(&word) {
            broken.push(word);
        }
    }
    json!({
        "number": grant.get("number"), "state": grant.get("state"), "uses": grant.get("uses"),
        "subscriptions": grant.get("subscriptions"), "consumer": consumer,
        "derived": if changes { "changes" } else { "same" }, "broken": broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_says_once_what_breaks_for_it() {
        let found =
            |version: i32| json!({ "path": "dep_delay", "reason": "type_mismatch", "version": version });
        let row = grant(&json!({
            "number": 3, "state": "active", "uses": ["dep_delay"], "subscriptions": ["copy"],
            "consumer": { "code": "1", "name": "x" }, "derived_schema_changes": true,
            "breaks": [found(2), found(1)],
        }));
        assert_eq!((&row["consumer"], &row["derived"]), (&json!("1"), &json!("changes")));
        assert_eq!(row["broken"], json!(["dep_delay: type_mismatch"]));
    }

    #[test]
    fn the_first_line_says_what_would_come_of_it() {
        let report = |compatible: bool, new: bool| {
            told(&json!({ "resource": "1/2", "level": "FULL", "version": 3, "compatible": compatible,
                "new_schema": new }))
            .en
        };
        let end = "(level FULL, version 3 is in force)";
        assert_eq!(report(false, true), format!("1/2: the change breaks what is there {end}"));
        assert_eq!(report(true, false), format!("1/2: the schema stays as it is {end}"));
        assert_eq!(
            report(true, true),
            format!("1/2: the change breaks nothing and would be version 4 {end}")
        );
    }
}
