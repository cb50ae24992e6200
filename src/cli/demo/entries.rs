//! The five resources from their files: written by the editor, approved and published by the reviewer.

use std::path::Path;

use changtong_catalog::request::RequestFile;
use changtong_catalog::resource::ResourceFile;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::cast::{Cast, text};
use crate::client::CallError;

pub const NAMES: [&str; 5] = ["flights", "weather", "planes", "airports", "streets"];

/// A resource in the catalog.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: &'static str,
    /// Its code with a dash, as paths want it.
    pub code: String,
    pub provider: String,
}

pub fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, CallError> {
    let broken = |error: &dyn std::fmt::Display| CallError::Broken(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| broken(&e))?;
    toml::from_str(&text).map_err(|e| broken(&e))
}

pub async fn publish_all(cast: &Cast, examples: &Path) -> Result<Vec<Entry>, CallError> {
    let mut entries = Vec::new();
    for name in NAMES {
        let file: ResourceFile = parse(&examples.join(format!("{name}.toml")))?;
        let agency = cast.agency(&file.provider)?;
        let drafted = agency.editor.post("/resources", &file).await?.body;
        let code = text(&drafted, "code")?.replace('/', "-");
        agency.editor.post(&format!("/resources/{code}/submit"), &json!({})).await?;
        agency.reviewer.post(&format!("/resources/{code}/approve"), &json!({})).await?;
        agency.reviewer.post(&format!("/resources/{code}/publish"), &json!({})).await?;
        entries.push(Entry { name, code, provider: file.provider });
    }
    Ok(entries)
}

/// A grant on one of the entries, and whether a person had to agree.
pub struct Granted {
    pub grant: String,
    pub by_provider: bool,
    pub items: Vec<String>,
}

/// Asks with the request file of that name; the provider's reviewer agrees where it is not granted at once.
pub async fn ask(cast: &Cast, examples: &Path, entry: &Entry) -> Result<Granted, CallError> {
    let mut file: RequestFile = parse(&examples.join("requests").join(format!("{}.toml", entry.name)))?;
    file.resource.clone_from(&entry.code);
    let consumer = cast.consumer()?;
    let written = consumer.editor.post("/requests", &file).await?.body;
    let id = text(&written, "id")?;
    let submitted = consumer.reviewer.post(&format!("/requests/{id}/submit"), &json!({})).await?.body;
    let by_provider = text(&submitted, "state")? != "agreed";
    let answered = if by_provider {
        let reviewer = &cast.agency(&entry.provider)?.reviewer;
        reviewer.post(&format!("/requests/{id}/agree"), &json!({})).await?.body
    } else {
        submitted
    };
    Ok(Granted { grant: text(&answered, "grant")?.to_owned(), by_provider, items: file.items })
}
