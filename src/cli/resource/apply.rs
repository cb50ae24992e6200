//! `changtong resource apply FILE`: makes the catalog's entry what the file says, and says what changed. An entry is
//! found by provider, class and title; one that is to be called otherwise is named by `--code`.

use std::path::PathBuf;

use changtong_catalog::error::Text;
use changtong_catalog::resource::ResourceFile;
use clap::Args;
use serde_json::{Map, Value, json};

use super::super::connection::spoken;
use super::super::failure::{Done, Failure};
use super::super::files::{in_path, read_toml};
use super::super::output::Output;
use super::super::text;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Apply {
    /// A resource file
    file: PathBuf,
    /// The entry that it is, where provider, class and title do not tell
    #[arg(long)]
    code: Option<String>,
    /// Then submit, approve and publish it, or put in force what is proposed, as far as it is not yet
    #[arg(long)]
    publish: bool,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(apply: &Apply, client: &Client, output: Output) -> Done {
    let file: ResourceFile = read_toml(&apply.file)?;
    let wanted = as_object(&file)?;
    let (etag, found) = match find(apply.code.as_ref(), &file, client, "--code").await? {
        Some(code) => client.read(&format!("/resources/{}", in_path(&code))).await?,
        None => (None, Value::Null),
    };
    // Of a published entry, what was proposed before is what the file takes the place of.
    let before = found.pointer("/proposal/file").unwrap_or(&found);
    let changed = changes(before, &wanted);
    if apply.dry_run {
        let answer = json!({ "code": found.get("code"), "changes": changed });
        return output.done(&answer, || told(&found, &changed, "would change"));
    }
    let mut entry = if found.is_null() {
        client.post("/resources", &file).await?.body
    } else if changed.is_empty() {
        found.clone()
    } else {
        change(client, &found, etag.as_deref().unwrap_or_default(), &file).await?
    };
    if apply.publish {
        entry = put_in_force(client, entry).await?;
    }
    output.done(&entry, || {
        let told = told(&found, &changed, "changed");
        format!("{told}\n{} is {}{}", text(&entry, "/code"), text(&entry, "/state"), waits(&entry))
    })
}

/// The code of the entry that the file describes, where none is named by `flag`.
pub(in crate::cli) async fn find(
    named: Option<&String>,
    file: &ResourceFile,
    client: &Client,
    flag: &str,
) -> Done<Option<String>> {
    if named.is_some() {
        return Ok(named.cloned());
    }
    let query = super::super::query([("class", file.class.as_str()), ("provider", file.provider.as_str())]);
    let entries = client.list(&format!("/resources?{query}")).await?;
    let is_it = |entry: &&Value| {
        let member = |name: &str| entry.get(name).and_then(Value::as_str);
        member("title") == Some(&file.title)
            && member("class") == Some(&file.class)
            && member("state") != Some("retired")
    };
    let found: Vec<&Value> = entries.iter().filter(is_it).collect();
    match found[..] {
        [] => Ok(None),
        [entry] => Ok(Some(text(entry, "/code"))),
        _ => Err(Failure::Usage(format!(
            "several entries have this provider, class and title; name one by {flag}"
        ))),
    }
}

async fn change(client: &Client, found: &Value, etag: &str, file: &ResourceFile) -> Done<Value> {
    let path = format!("/resources/{}", in_path(&text(found, "/code")));
    match found.get("state").and_then(Value::as_str).unwrap_or_default() {
        "draft" | "published" | "suspended" => Ok(client.put(&path, etag, file).await?.body),
        state => Err(Failure::Failed(format!(
            "the entry is {state}, so it cannot be changed; reject it first: changtong resource reject {}",
            in_path(&text(found, "/code"))
        ))),
    }
}

/// Through the steps that are left. With four eyes the server stops one account here, and says so.
async fn put_in_force(client: &Client, mut entry: Value) -> Done<Value> {
    let code = in_path(&text(&entry, "/code"));
    loop {
        let step = match entry.get("state").and_then(Value::as_str).unwrap_or_default() {
            "draft" => "submit",
            "submitted" => "approve",
            "approved" => "publish",
            _ if entry.get("proposal").is_some() => "revise",
            _ => return Ok(entry),
        };
        let path = format!("/resources/{code}/{step}");
        let done = client.post_if_match(&path, &etag(&entry), &json!({})).await;
        entry = done
            .map_err(|error| Failure::from(error).and(format_args!("{code} is at the step: {step}")))?
            .body;
    }
}

/// The version that was answered.
fn etag(entry: &Value) -> String {
    format!("\"{}\"", entry.get("version").and_then(Value::as_i64).unwrap_or_default())
}

fn waits(entry: &Value) -> String {
    let code = in_path(&text(entry, "/code"));
    entry.get("proposal").map_or_else(String::new, |_| {
        spoken(Text::new(
            format!(";修订已提出,由另一账号的审核员使其生效:changtong resource revise {code}"),
            format!(
                "; the change is proposed, and a reviewer by another account puts it in force: changtong resource revise {code}"
            ),
        ))
    })
}

fn as_object(file: &ResourceFile) -> Done<Map<String, Value>> {
    match serde_json::to_value(file) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Failure::Failed("the file is not a table".into())),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

/// Names of what differs. The shown entry holds its file's members beside others.
pub(super) fn changes(found: &Value, wanted: &Map<String, Value>) -> Vec<String> {
    let optional = ["share_condition", "share_scope", "withheld_basis"].map(str::to_owned);
    let names = wanted.keys().cloned().chain(optional.into_iter().filter(|name| !wanted.contains_key(name)));
    names
        .filter(|name| found.get(name).unwrap_or(&Value::Null) != wanted.get(name).unwrap_or(&Value::Null))
        .collect()
}

fn told(found: &Value, changed: &[String], word: &str) -> String {
    match (found.is_null(), changed) {
        (true, _) => "a new entry".to_owned(),
        (false, []) => "nothing to change".to_owned(),
        (false, names) => format!("{word}: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_named_and_what_is_left_out_counts() {
        let wanted = json!({"title": "b", "kind": "table"});
        let wanted = wanted.as_object().unwrap();
        let found = json!({"code": "1", "title": "a", "kind": "table", "share_scope": "x"});
        assert_eq!(changes(&found, wanted), ["title", "share_scope"]);
        assert_eq!(told(&found, &changes(&found, wanted), "changed"), "changed: title, share_scope");
        assert_eq!(told(&Value::Null, &[], "changed"), "a new entry");
        assert_eq!(told(&found, &[], "changed"), "nothing to change");
    }
}
