//! `changtong publish RESOURCE FILE`: a file in requests of bounded size, each under an idempotency key made from its
//! content, so that the command repeated publishes nothing twice.

mod avro;
mod chunk;
mod csv;
mod json;
mod progress;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use changtong_catalog::resource::Item;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::block_on;
use super::connection::Connection;
use super::encoding::Encoding;
use super::failure::{Done, Failure};
use super::files::in_path;
use crate::client::{CallError, Client};
use chunk::Chunk;
pub use chunk::salt;
use progress::Progress;

#[derive(Debug, Args)]
pub struct Publish {
    #[command(flatten)]
    server: Connection,
    /// Code of the resource, such as 3070220601-000001
    resource: String,
    /// CSV with a header row, NDJSON, a JSON array, or an Avro container file; `-` is standard input
    file: PathBuf,
    /// What the file is; told by its name if not said
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Encoding of the file
    #[arg(long, value_enum, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// A CSV spelling of "no value"; may be said several times. Items that are no text always take the usual spellings
    /// (NA, N/A, NULL, null, \N)
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,
    /// What becomes of records that do not fit
    #[arg(long, value_enum, default_value_t = OnInvalid::Reject)]
    on_invalid: OnInvalid,
    /// The most records of one request
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Publish also what an equal command published within the last day
    #[arg(long)]
    again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
    Json,
    /// An object container file
    Avro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnInvalid {
    /// The request with such a record is refused whole, and the command ends
    Reject,
    /// They are set aside, the rest is published
    Quarantine,
}

impl OnInvalid {
    const fn word(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What was published so far.
#[derive(Debug, Default)]
struct Sum {
    requests: u64,
    accepted: u64,
    quarantined: u64,
    replayed: u64,
}

pub fn run(publish: &Publish) -> Done {
    block_on(async {
        let client = publish.server.client()?;
        let code = in_path(&publish.resource);
        let items = items(&client, &code).await?;
        let (input, size) = open(publish)?;
        let chunks = chunks(publish, &items, input)?;
        let salt = publish.again.then(salt);
        let sender = Sender { client: &client, code: &code, on_invalid: publish.on_invalid, salt };
        let sum = sender.send(chunks, Progress::of(size)).await?;
        if sum.requests == 0 {
            return Err(Failure::Failed(format!(
                "{} holds no record; nothing was published",
                publish.file.display()
            )));
        }
        publish.server.output.done(&sum.as_json(), || sum.told(&publish.resource))
    })
}

/// Items of the resource, which say how a CSV column is read.
async fn items(client: &Client, code: &str) -> Done<Vec<Item>> {
    let entry = client.get(&format!("/resources/{code}")).await?;
    let items = entry.get("items").cloned().unwrap_or_default();
    serde_json::from_value(items).map_err(|error| Failure::Failed(format!("the items of {code}: {error}")))
}

type Input = Box<dyn BufRead>;

fn open(publish: &Publish) -> Done<(Input, Option<u64>)> {
    let (raw, size): (Box<dyn Read>, _) = if publish.file.as_os_str() == "-" {
        (Box::new(std::io::stdin()), None)
    } else {
        let at = |error: std::io::Error| Failure::Failed(format!("{}: {error}", publish.file.display()));
        let file = File::open(&publish.file).map_err(at)?;
        let size = file.metadata().map_err(at)?.len();
        (Box::new(file), Some(size))
    };
    // A container file is no text.
    let read = if format(publish)? == Format::Avro { raw } else { publish.encoding.reader(raw) };
    Ok((Box::new(BufReader::with_capacity(1 << 20, read)), size))
}

fn format(publish: &Publish) -> Done<Format> {
    if let Some(format) = publish.format {
        return Ok(format);
    }
    let extension = publish.file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "csv" => Ok(Format::Csv),
        "ndjson" | "jsonl" => Ok(Format::Ndjson),
        "json" => Ok(Format::Json),
        "avro" => Ok(Format::Avro),
        _ => Err(Failure::Usage(
            "the file's name does not tell what it is: say --format csv, ndjson, json or avro".into(),
        )),
    }
}

type Chunks<'a> = Box<dyn Iterator<Item = Done<Chunk>> + 'a>;

fn chunks<'a>(publish: &'a Publish, items: &'a [Item], input: Input) -> Done<Chunks<'a>> {
    Ok(match format(publish)? {
        Format::Avro => Box::new(avro::Chunks::of(input, publish.batch)?),
        Format::Csv => Box::new(csv::Chunks::of(input, items, &publish.nulls, publish.batch)?),
        Format::Ndjson => Box::new(json::Chunks::of_lines(input, items, publish.batch)),
        Format::Json => Box::new(json::Chunks::of_array(input, items, publish.batch)?),
    })
}

struct Sender<'a> {
    client: &'a Client,
    code: &'a str,
    on_invalid: OnInvalid,
    salt: Option<String>,
}

impl Sender<'_> {
    /// One after the other, so that records of one key keep their order.
    async fn send(&self, chunks: Chunks<'_>, mut progress: Progress) -> Done<Sum> {
        let mut sum = Sum::default();
        for chunk in chunks {
            let chunk = chunk.map_err(|failure| sum.stopped(failure, true))?;
            let key = chunk.key(self.code, self.on_invalid.word(), self.salt.as_deref());
            let sent = self.client.publish(
                self.code,
                chunk.media_type,
                self.on_invalid.word(),
                &key,
                chunk.body.clone(),
            );
            let receipt = sent.await.map_err(|error| {
                let of_the_file = error.code() == Some("records_invalid");
                sum.stopped(in_file(error, chunk.first).into(), of_the_file)
            })?;
            sum.take(&receipt);
            progress.at(chunk.read, sum.accepted);
        }
        progress.end();
        Ok(sum)
    }
}

/// The indexes of bad records counted through the file instead of the request.
fn in_file(error: CallError, first: u64) -> CallError {
    let CallError::Refused(mut problem) = error else { return error };
    let listed = problem.body.get_mut("invalid").and_then(Value::as_array_mut);
    for entry in listed.into_iter().flatten() {
        if let Some(index) = entry.get("index").and_then(Value::as_u64) {
            entry["index"] = json!(index + first);
        }
    }
    CallError::Refused(problem)
}

impl Sum {
    fn take(&mut self, receipt: &Value) {
        let number = |name: &str| receipt.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.requests += 1;
        self.accepted += number("accepted");
        self.quarantined += number("quarantined");
        if receipt.get("replayed") == Some(&Value::Bool(true)) {
            self.replayed += number("accepted");
        }
    }

    /// A failure on the way, with what is published already and how to go on.
    fn stopped(&self, failure: Failure, of_the_file: bool) -> Failure {
        let are = if self.accepted == 1 { "is" } else { "are" };
        let before = format!("{} before this request {are} published", records(self.accepted));
        match (of_the_file, self.accepted) {
            (true, _) => failure.and(format!(
                "{before}; the command repeated with the mended file goes on from there (--on-invalid quarantine sets \
                 records that do not fit aside)"
            )),
            (false, 0) => failure,
            (false, _) => failure.and(format!("{before}; the same command repeated goes on from there")),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "accepted": self.accepted, "quarantined": self.quarantined, "replayed": self.replayed,
            "requests": self.requests,
        })
    }

    fn told(&self, resource: &str) -> String {
        let mut text = format!("{resource}: {} published", records(self.accepted - self.replayed));
        if self.replayed > 0 {
            text.push_str(&format!(
                ", {} published before by an equal command (--again publishes them anew)",
                self.replayed
            ));
        }
        if self.quarantined > 0 {
            text.push_str(&format!(
                ", {} set aside (changtong quarantine list {resource})",
                self.quarantined
            ));
        }
        text
    }
}

/// `1 record`, `2 records`.
fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}
