//! The grant to read under: one that is there, or one asked for and waited for.

use std::time::Duration;

use changtong_catalog::request::RequestFile;
use serde_json::{Value, json};

use super::super::failure::{Done, Failure};
use super::super::files::{in_path, read_toml};
use super::super::request::put_file;
use super::super::text;
use super::Subscribe;
use crate::client::Client;

/// Between two looks at a request that another agency answers.
const LOOK: Duration = Duration::from_secs(2);

/// The id of an active grant.
pub async fn obtain(subscribe: &Subscribe, client: &Client) -> Done<String> {
    let file: Option<RequestFile> = subscribe.request.as_deref().map(read_toml).transpose()?;
    let asked = file.as_ref().map(|file| file.resource.clone());
    let Some(code) = subscribe.resource.clone().or(asked).map(|code| in_path(&code)) else {
        return Err(Failure::Usage("which resource? say its code or --request FILE".into()));
    };
    let me = client.get("/whoami").await?;
    let agency = text(&me, "/agency/id");
    if let Some(grant) = standing(client, &code, &agency).await? {
        return Ok(grant);
    }
    let file = match file {
        Some(file) => file,
        None => whole(client, &code, &me).await?,
    };
    let request = put_file(client, &file).await?.request;
    wait(client, request).await
}

/// An active grant on the resource that this agency holds; the youngest of several.
async fn standing(client: &Client, code: &str, agency: &str) -> Done<Option<String>> {
    let grants = client.list(&format!("/grants?resource={code}")).await?;
    let ours =
        |grant: &&Value| text(grant, "/consumer_agency") == agency && text(grant, "/state") == "active";
    let youngest = grants.iter().filter(ours).max_by_key(|grant| grant.get("number").and_then(Value::as_i64));
    Ok(youngest.map(|grant| text(grant, "/id")))
}

/// A request for all of an unconditional resource. It says of itself that nobody wrote it.
async fn whole(client: &Client, code: &str, me: &Value) -> Done<RequestFile> {
    let entry = client.get(&format!("/resources/{code}")).await?;
    if text(&entry, "/share_type") != "unconditional" {
        return Err(Failure::Usage(format!(
            "{code} is not shared unconditionally: write a request file with purpose, legal basis and the items you \
             need, and say --request FILE"
        )));
    }
    let items = entry.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = items.iter().map(|item| text(item, "/name")).collect();
    let agency = match text(me, "/agency/alias") {
        alias if alias.is_empty() => text(me, "/agency/code"),
        alias => alias,
    };
    let request = json!({
        "resource": code,
        "consumer": agency,
        "purposes": [{ "code": "subscribe", "text": "未说明(changtong subscribe 未附申请文件) / not stated" }],
        "basis": "无条件共享 / shared unconditionally",
        "consented_by": { "office": text(me, "/account/name"), "document": "无 / none" },
        "history": "all",
        "items": names,
    });
    serde_json::from_value(request).map_err(|error| Failure::Failed(error.to_string()))
}

/// Submits what is not submitted, and looks until it is answered.
async fn wait(client: &Client, mut request: Value) -> Done<String> {
    let id = text(&request, "/id");
    let mut told = false;
    if matches!(text(&request, "/state").as_str(), "draft" | "need_material") {
        let submitted = client.post(&format!("/requests/{id}/submit"), &json!({})).await;
        request = submitted
            .map_err(|error| {
                Failure::from(error).and(format_args!(
                    "the request is written; a reviewer of your agency submits it: changtong request submit {id}"
                ))
            })?
            .body;
    }
    loop {
        match text(&request, "/state").as_str() {
            "agreed" => return Ok(text(&request, "/grant")),
            "submitted" => {}
            state => {
                return Err(Failure::Failed(format!(
                    "request {id} is {state}: {}",
                    text(&request, "/answer")
                )));
            }
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("request {id} waits for the provider's answer");
        }
        tokio::time::sleep(LOOK).await;
        request = client.get(&format!("/requests/{id}")).await?;
    }
}
