//! `changtong request apply FILE`: a new request, or another file for the one on that resource that is still open.

use std::path::PathBuf;

use changtong_catalog::request::RequestFile;
use clap::Args;
use serde_json::{Map, Value, json};

use super::super::failure::{Done, Failure};
use super::super::files::{in_path, read_toml};
use super::super::output::Output;
use super::super::text;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Apply {
    /// A request file
    file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

/// What became of a file.
#[derive(Debug)]
pub struct Put {
    pub request: Value,
    pub did: &'static str,
}

pub async fn run(apply: &Apply, client: &Client, output: Output) -> Done {
    let file: RequestFile = read_toml(&apply.file)?;
    if apply.dry_run {
        let (found, did) = plan(client, &file).await?;
        let answer = json!({ "id": found.get("id"), "would": did });
        return output
            .done(&answer, || format!("{} would be {did}", text(&found, "/id")).trim_start().to_owned());
    }
    let put = put(client, &file).await?;
    output.done(&put.request, || {
        let id = text(&put.request, "/id");
        let hint = match put.request.get("state").and_then(Value::as_str) {
            Some("draft" | "need_material") => {
                format!("; a reviewer of your agency submits it: changtong request submit {id}")
            }
            _ => String::new(),
        };
        format!("request {id} {}: {}{hint}", put.did, text(&put.request, "/state"))
    })
}

/// Makes the request that the file describes, unless it is there.
pub async fn put(client: &Client, file: &RequestFile) -> Done<Put> {
    let (found, did) = plan(client, file).await?;
    let request = match did {
        NEW => client.post("/requests", file).await?.body,
        CHANGED => {
            let path = format!("/requests/{}", text(&found, "/id"));
            let (etag, _) = client.read(&path).await?;
            client.put(&path, etag.as_deref().unwrap_or_default(), file).await?.body
        }
        _ => found,
    };
    Ok(Put { request, did })
}

const NEW: &str = "new";
const CHANGED: &str = "changed";
const UNCHANGED: &str = "unchanged";

async fn plan(client: &Client, file: &RequestFile) -> Done<(Value, &'static str)> {
    let me = client.get("/whoami").await?;
    let wanted = match serde_json::to_value(file) {
        Ok(Value::Object(members)) => members,
        _ => return Err(Failure::Failed("the file is not a request".into())),
    };
    let requests = client.list("/requests").await?;
    let ours = |request: &&Value| {
        in_path(&text(request, "/resource_code")) == in_path(&file.resource)
            && request.get("consumer_agency") == me.pointer("/agency/id")
    };
    let state =
        |request: &Value| request.get("state").and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
    let mut open = requests.iter().filter(ours).filter(|request| {
        matches!(state(request).as_str(), "draft" | "need_material")
            || (matches!(state(request).as_str(), "submitted" | "agreed") && same(request, &wanted))
    });
    let Some(found) = open.next_back() else { return Ok((Value::Null, NEW)) };
    let did = if same(found, &wanted) { UNCHANGED } else { CHANGED };
    Ok((found.clone(), did))
}

/// Whether the request says what the file says. The shown request holds its file's members beside others.
fn same(request: &Value, wanted: &Map<String, Value>) -> bool {
    let code = |value: Option<&Value>| in_path(value.and_then(Value::as_str).unwrap_or_default());
    let optional = ["filter", "valid_until"].map(str::to_owned);
    let names = wanted.keys().cloned().chain(optional);
    names.into_iter().all(|name| match name.as_str() {
        "resource" => code(request.get("resource")) == code(wanted.get("resource")),
        _ => request.get(&name).unwrap_or(&Value::Null) == wanted.get(&name).unwrap_or(&Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_is_known_again() {
        let wanted = json!({"resource": "3070220602-000001", "items": ["a"], "history": "all"});
        let wanted = wanted.as_object().unwrap();
        let request = json!({"id": "x", "resource": "3070220602/000001", "items": ["a"], "history": "all"});
        assert!(same(&request, wanted));
        assert!(!same(&json!({"resource": "3070220602/000001", "items": ["a"], "history": "none"}), wanted));
        let mut filtered = request;
        filtered["filter"] = json!("a == 1");
        assert!(!same(&filtered, wanted));
    }
}
