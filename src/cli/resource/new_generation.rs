//! `changtong resource new-generation`: what is still there into a new topic.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::failure::Done;
use crate::cli::files::in_path;
use crate::cli::output::Output;
use crate::cli::text;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct NewGeneration {
    /// Code of the resource, such as 3070220601-000001
    code: String,
    /// How many partitions the new topic has; as many as before if left out
    #[arg(long)]
    partitions: Option<i32>,
    /// How many records may be left out that stand where others were published (see left_out in docs/errors.md)
    #[arg(long, default_value_t = 0)]
    leave_out: i64,
}

pub async fn run(wanted: &NewGeneration, client: &Client, output: Output) -> Done {
    let path = format!("/resources/{}", in_path(&wanted.code));
    let entry = client.get(&path).await?;
    eprintln!("{}", before(&entry));
    let body = json!({ "partitions": wanted.partitions, "leave_out": wanted.leave_out });
    let moved = client.post(&format!("{path}/new-generation"), &body).await?.body;
    output.done(&moved, || {
        let copied =
            moved["copied"].as_i64().map_or_else(String::new, |n| format!("; {n} records were copied"));
        let left_out = moved["left_out"].as_i64().filter(|n| *n > 0).map_or_else(String::new, |n| {
            format!("; {n} records that stand where others were published were left out")
        });
        format!("{} is in generation {}{copied}{left_out}", text(&moved, "/code"), moved["generation"])
    })
}

/// What it means for readers, said before it is done.
fn before(entry: &Value) -> String {
    let retention = text(entry, "/retention");
    let readers = match text(entry, "/kind").as_str() {
        "stream" if retention == "forever" => "Readers go on where they are.".to_owned(),
        "stream" => {
            format!("Readers go on where they are. The copies are kept for {retention} anew, from now on.")
        }
        _ => "Every reader begins its copy anew (view_changed).".to_owned(),
    };
    format!("Copying what is still there; publishing pauses meanwhile (new_generation_running). {readers}")
}
