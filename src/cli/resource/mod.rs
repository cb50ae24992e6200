//! `changtong resource`: entries of the catalog, from a draft guessed from data to their end.

mod apply;
mod draft;
mod new_generation;
mod revise;

pub(in crate::cli) use apply::find;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::connection::Connection;
use super::failure::Done;
use super::files::in_path;
use super::output::Column;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Resource {
    #[command(flatten)]
    server: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Guess a resource file from a CSV or NDJSON file, for a person to finish
    Draft(draft::Draft),
    /// Make the catalog's entry what the file says; says what changed. For a published entry the file is proposed, and
    /// another account puts it in force (revise)
    Apply(apply::Apply),
    /// Search the catalog
    List(List),
    /// One entry
    Show(One),
    /// Hand a draft to review (role editor)
    Submit(One),
    /// Find a submitted entry right (role reviewer)
    Approve(One),
    /// Send a submitted or approved entry back to its editor, or drop what is proposed for a published one (role
    /// reviewer)
    Reject {
        /// Code of the resource, such as 3070220601-000001
        code: String,
        /// What to change, for the editor to read
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put an approved entry into the catalog (role reviewer): schemas are made, standing consent is given
    Publish(One),
    /// Let publishing and delivery pause
    Suspend {
        /// Code of the resource, such as 3070220601-000001
        code: String,
        /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
        #[arg(long)]
        cause: String,
    },
    /// End the suspension: publishing and delivery go on
    Resume(One),
    /// Put in force what is proposed for a published entry, where it breaks nobody (role reviewer, another account than
    /// its writer's)
    Revise(revise::Revise),
    /// Take the entry out of the catalog for good; its grants end
    Retire(Ending),
    /// Begin a new topic with what is still there: after log damage, or for another number of partitions
    NewGeneration(new_generation::NewGeneration),
}

#[derive(Debug, Args)]
struct One {
    /// Code of the resource, such as 3070220601-000001
    code: String,
}

#[derive(Debug, Args)]
struct Ending {
    /// Code of the resource, such as 3070220601-000001
    code: String,
    /// Why: misuse, overdue, purpose_done, law_changed, data_fault, security or consumer_request
    #[arg(long)]
    cause: String,
    /// Reference of the filing, where the service ends
    #[arg(long)]
    filing: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Words in title or abstract
    #[arg(long)]
    q: Option<String>,
    /// Class code or the beginning of one
    #[arg(long)]
    class: Option<String>,
    /// Alias or credit code of the provider
    #[arg(long)]
    provider: Option<String>,
    /// unconditional, conditional or withheld
    #[arg(long)]
    share_type: Option<String>,
}

const COLUMNS: [Column; 7] = [
    ("CODE", "/code"),
    ("TITLE", "/title"),
    ("PROVIDER", "/provider"),
    ("KIND", "/kind"),
    ("SHARED", "/share_type"),
    ("STATE", "/state"),
    ("PROPOSED", "/proposal/written_at"),
];

pub fn run(resource: &Resource) -> Done {
    if let Verb::Draft(draft) = &resource.verb {
        return draft::run(draft);
    }
    block_on(act(resource))
}

async fn act(resource: &Resource) -> Done {
    let (client, output) = (resource.server.client()?, resource.server.output);
    match &resource.verb {
        // Needs no server, so it never comes here.
        Verb::Draft(draft) => draft::run(draft),
        Verb::Apply(apply) => apply::run(apply, &client, output).await,
        Verb::Revise(revise) => revise::run(revise, &client, output).await,
        Verb::NewGeneration(wanted) => new_generation::run(wanted, &client, output).await,
        Verb::List(list) => {
            output.list(&client.list(&format!("/resources?{}", query(list))).await?, &COLUMNS)
        }
        Verb::Show(One { code }) => {
            let entry = client.get(&format!("/resources/{}", in_path(code))).await?;
            output.object(&entry, &FIELDS)?;
            if output == super::output::Output::Table {
                print_items(&entry);
                revise::print_waiting(&entry);
            }
            Ok(())
        }
        Verb::Submit(one) => output_state(resource, &client, &one.code, "submit", json!({})).await,
        Verb::Approve(one) => output_state(resource, &client, &one.code, "approve", json!({})).await,
        Verb::Publish(one) => output_state(resource, &client, &one.code, "publish", json!({})).await,
        Verb::Resume(one) => output_state(resource, &client, &one.code, "resume", json!({})).await,
        Verb::Reject { code, reason } => {
            output_state(resource, &client, code, "reject", json!({ "reason": reason })).await
        }
        Verb::Suspend { code, cause } => {
            end(resource, &client, code, "suspend", json!({ "cause": cause })).await
        }
        Verb::Retire(Ending { code, cause, filing }) => {
            end(resource, &client, code, "retire", json!({ "cause": cause, "filing": filing })).await
        }
    }
}

fn query(list: &List) -> String {
    let parts = [
        ("q", &list.q),
        ("class", &list.class),
        ("provider", &list.provider),
        ("share_type", &list.share_type),
    ];
    let given = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    super::query(given)
}

async fn output_state(resource: &Resource, client: &Client, code: &str, step: &str, body: Value) -> Done {
    let entry = client.post(&format!("/resources/{}/{step}", in_path(code)), &body).await?.body;
    resource
        .server
        .output
        .done(&entry, || format!("{} is {}", super::text(&entry, "/code"), super::text(&entry, "/state")))
}

async fn end(resource: &Resource, client: &Client, code: &str, step: &str, body: Value) -> Done {
    let ended = client.post(&format!("/resources/{}/{step}", in_path(code)), &body).await?.body;
    let word = if step == "suspend" { "suspended" } else { "retired" };
    resource.server.output.done(&ended, || format!("{code} is {word}; {}", super::ended(&ended)))
}

const FIELDS: [Column; 18] = [
    ("code", "/code"),
    ("title", "/title"),
    ("provider", "/provider"),
    ("abstract", "/abstract"),
    ("state", "/state"),
    ("kind", "/kind"),
    ("generation", "/generation"),
    ("log rolled back", "/log_rolled_back"),
    ("key", "/key"),
    ("retention", "/retention"),
    ("shared", "/share_type"),
    ("condition", "/share_condition"),
    ("withheld", "/withheld_basis"),
    ("update cycle", "/update_cycle"),
    ("published at", "/published_at"),
    ("schema", "/schema_id"),
    ("rejected at", "/rejected/at"),
    ("rejected for", "/rejected/reason"),
];

fn print_items(entry: &Value) {
    let items = entry.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    if items.is_empty() {
        return;
    }
    let mut columns: Vec<Column> = vec![
        ("ITEM", "/name"),
        ("TITLE", "/title"),
        ("TYPE", "/type"),
        ("LENGTH", "/length"),
        ("PRECISION", "/precision"),
        ("SCALE", "/scale"),
        ("NULL", "/nullable"),
        ("MASK", "/mask"),
    ];
    let rare = [("DEFAULT", "/default"), ("ALIASES", "/aliases")];
    columns.extend(rare.iter().filter(|(_, at)| items.iter().any(|item| item.pointer(at).is_some())));
    println!();
    print!("{}", super::output::table(&items, &columns));
}
