//! `changtong request agree ID`: shows what the consumer will see, then agrees.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::failure::{Done, Failure};
use super::super::output::{Output, table};
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Agree {
    /// Id of the request
    id: String,
    /// Mask an item beyond what its resource says; may be said several times
    #[arg(long = "mask", value_name = "ITEM=RULE")]
    masks: Vec<String>,
    /// Rows that the consumer may see, beside its own filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// The last day, if earlier than asked for
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Deliver no delete lines
    #[arg(long)]
    no_delete_lines: bool,
    /// Agree without asking
    #[arg(long)]
    yes: bool,
}

pub async fn run(agree: &Agree, client: &Client, output: Output) -> Done {
    let agreement = agreement(agree)?;
    let shown = client.post(&format!("/requests/{}/disclosure", agree.id), &agreement).await?.body;
    if output == Output::Table {
        show(&shown);
    }
    if !agree.yes && !confirmed()? {
        return Err(Failure::Failed("not agreed; the request stands as it was".into()));
    }
    let answer = client.post(&format!("/requests/{}/agree", agree.id), &agreement).await?.body;
    output.done(&answer, || super::told(&answer))
}

fn agreement(agree: &Agree) -> Done<Value> {
    let mut masks = Map::new();
    for mask in &agree.masks {
        let (item, rule) = mask
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--mask {mask}: write ITEM=RULE, such as name=blank")))?;
        masks.insert(item.to_owned(), rule.into());
    }
    Ok(json!({
        "masks": masks, "filter": agree.filter, "until": agree.until, "no_delete_lines": agree.no_delete_lines,
    }))
}

fn show(shown: &Value) {
    let list = |name: &str| shown.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    println!("The consumer will see:");
    println!();
    let columns = [("ITEM", "/name"), ("TITLE", "/title"), ("MASKED BY", "/masks")];
    print!("{}", table(&list("items"), &columns));
    if !list("other_grants").is_empty() {
        println!();
        println!("Together with its other grants on the resource:");
        println!();
        print!("{}", table(&list("together"), &columns));
    }
    println!();
    println!("Derived schema:");
    println!();
    println!("{}", shown.get("schema").unwrap_or(&Value::Null));
    println!();
    show_sample(shown.get("sample").unwrap_or(&Value::Null));
    for notice in list("notices") {
        println!();
        both_languages("!", &notice);
    }
    println!();
}

fn show_sample(sample: &Value) {
    match sample.get("nothing") {
        Some(reason) => both_languages("-", reason),
        None => println!("Some of the newest records, as they would be delivered:\n"),
    }
    for record in sample.get("records").and_then(Value::as_array).into_iter().flatten() {
        println!("{record}");
    }
}

fn both_languages(mark: &str, text: &Value) {
    for language in ["zh", "en"] {
        println!("{mark} {}", text.get(language).and_then(Value::as_str).unwrap_or_default());
    }
}

fn confirmed() -> Done<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("look at the above, then say --yes to agree".into()));
    }
    print!("Agree? [y/N] ");
    let failed = |error: std::io::Error| Failure::Failed(error.to_string());
    std::io::stdout().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
