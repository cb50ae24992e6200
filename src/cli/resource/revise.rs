//! `changtong resource revise CODE`: what is proposed for a published entry comes into force, and what that is.

use std::path::PathBuf;

use changtong_catalog::error::Text;
use changtong_catalog::resource::ResourceFile;
use clap::Args;
use serde_json::{Value, json};

use super::super::connection::spoken;
use super::super::failure::Done;
use super::super::files::{in_path, read_toml};
use super::super::output::Output;
use super::super::text;
use super::apply::changes;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Revise {
    /// Code of the resource, such as 3070220601-000001
    code: String,
    /// A file in the place of what is proposed: written and put in force at once, where one account may do both
    /// (rules.four_eyes = false)
    file: Option<PathBuf>,
}

pub async fn run(revise: &Revise, client: &Client, output: Output) -> Done {
    let path = format!("/resources/{}", in_path(&revise.code));
    let (etag, before) = client.read(&path).await?;
    let body = match &revise.file {
        Some(file) => json!(read_toml::<ResourceFile>(file)?),
        None => json!({}),
    };
    let changed = if revise.file.is_some() { changed(&before, &body) } else { waiting(&before) };
    let path = format!("{path}/revise");
    let entry = client.post_if_match(&path, etag.as_deref().unwrap_or_default(), &body).await?.body;
    output.done(&entry, || {
        let (code, what) = (&revise.code, changed.join(", "));
        spoken(Text::new(format!("{code} 已修订:{what}"), format!("{code} is revised: {what}")))
    })
}

/// What would change if the proposal came into force.
pub(super) fn print_waiting(entry: &Value) {
    if entry.get("proposal").is_none() {
        return;
    }
    let (by, at) = (text(entry, "/proposal/written_by"), text(entry, "/proposal/written_at"));
    let what = waiting(entry).join(", ");
    let (zh, en) = (format!("{by} 于 {at} 提出修订:{what}"), format!("proposed by {by} at {at}: {what}"));
    println!("\n{}", spoken(Text::new(zh, en)));
    if entry.pointer("/proposal/overtaken") == Some(&Value::Bool(true)) {
        println!(
            "{}",
            spoken(Text::new(
                "此后条目已有变更:请按现行条目重新提出,或予以退回",
                "the entry changed since; propose anew from the entry as it is, or reject it",
            ))
        );
    }
}

fn waiting(entry: &Value) -> Vec<String> {
    entry.pointer("/proposal/file").map_or_else(Vec::new, |file| changed(entry, file))
}

/// Members of the file that would be others, with the items that would come, change and go.
fn changed(entry: &Value, file: &Value) -> Vec<String> {
    let mut changed = file.as_object().map_or_else(Vec::new, |file| changes(entry, file));
    let items = |of: &Value| of.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (items(entry), items(file));
    let named =
        |list: &[Value], item: &Value| list.iter().find(|other| other["name"] == item["name"]).cloned();
    for item in &new {
        match named(&old, item) {
            None => changed.push(format!("+{}", text(item, "/name"))),
            Some(before) if before != *item => changed.push(format!("~{}", text(item, "/name"))),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|item| named(&new, item).is_none());
    changed.extend(gone.map(|item| format!("-{}", text(item, "/name"))));
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_into_force_is_named() {
        let item = |name: &str, title: &str| json!({ "name": name, "title": title });
        let file = json!({ "title": "b", "items": [item("x", "1"), item("y", "2"), item("w", "4")] });
        let entry = json!({
            "title": "a", "items": [item("x", "1"), item("y", "1"), item("z", "3")], "proposal": { "file": file }
        });
        assert_eq!(waiting(&entry), ["items", "title", "~y", "+w", "-z"]);
        assert!(waiting(&json!({ "title": "a" })).is_empty());
    }
}
