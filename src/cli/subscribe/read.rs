//! Reads a subscription: lines are written out before they are acknowledged, so none is lost; a command that is killed
//! between the two prints some again, and they are known by their ids.

use std::fs::OpenOptions;
use std::io::{BufWriter, ErrorKind, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::failure::{Done, Failure};
use super::super::text;
use super::{Format, Subscribe};
use crate::client::{Answered, CallError, Client, Problem, Reading};

/// How long one read waits while following.
const WAIT: Duration = Duration::from_secs(20);
/// How long reading goes on trying while the server is not to be had.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Where lines go.
pub(super) type Out = Box<dyn Write>;

pub async fn run(subscribe: &Subscribe, client: &Client, grant: &str) -> Done {
    let subscription = place(subscribe, client, grant).await?;
    let mut reading = Reading {
        subscription,
        wait: if subscribe.follow { WAIT } else { Duration::ZERO },
        purpose: subscribe.purpose.clone(),
        ..Reading::default()
    };
    if let (Format::Avro, Some(folder)) = (subscribe.format, &subscribe.out) {
        return super::files::run(client, reading, folder, subscribe.follow).await;
    }
    let mut out = open(subscribe)?;
    if subscribe.stream {
        return super::follow::run(client, reading, out).await;
    }
    let mut lines = 0_u64;
    loop {
        let answered = poll(client, &mut reading).await?;
        lines += answered.records().count() as u64;
        if !write(&mut out, &answered.lines)? {
            // Whoever read our output has what it wanted; these lines come again.
            return Ok(());
        }
        // An empty answer that moved on passed something over, and there may be more behind.
        let end = answered.is_empty() && reading.cursor.as_ref() == Some(&answered.next) && !subscribe.follow;
        if !answered.is_empty() || moved(&reading, &answered) {
            client.acknowledge(&reading.subscription, &answered).await?;
        }
        if end {
            eprintln!(
                "{lines} {}; everything there is has been read",
                if lines == 1 { "line" } else { "lines" }
            );
            return Ok(());
        }
        reading.cursor = Some(answered.next);
    }
}

/// Whether records were passed over that the grant does not show.
pub(super) fn moved(reading: &Reading, answered: &Answered) -> bool {
    reading.cursor.as_ref().is_some_and(|cursor| *cursor != answered.next)
}

/// One read, tried again while that may help.
async fn poll(client: &Client, reading: &mut Reading) -> Done<Answered> {
    let mut tries = 0;
    loop {
        match client.deliver(reading).await {
            Ok(answered) => return Ok(answered),
            Err(error) => recover(error, reading, &mut tries).await?,
        }
    }
}

/// After a read that failed: waits where another may come right, moves the cursor where the view changed.
pub(super) async fn recover(error: CallError, reading: &mut Reading, tries: &mut u32) -> Done {
    match &error {
        CallError::Refused(problem) if problem.code == "view_changed" => {
            let next = problem.body.get("next").and_then(Value::as_str);
            let Some(next) = next.filter(|next| reading.cursor.as_deref() != Some(*next)) else {
                return Err(error.into());
            };
            eprintln!(
                "the view changed: what follows is the new one from its start, and replaces what was read before"
            );
            reading.cursor = Some(next.to_owned());
        }
        CallError::Refused(problem) if problem.is_passing() => pause(problem).await,
        CallError::Unreachable(_) if *tries < PATIENCE => {
            *tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
        _ => return Err(error.into()),
    }
    Ok(())
}

async fn pause(problem: &Problem) {
    tokio::time::sleep(problem.retry_after.unwrap_or(PAUSE)).await;
}

/// The subscription of that name, made or moved as the command says.
async fn place(subscribe: &Subscribe, client: &Client, grant: &str) -> Done<String> {
    let path = format!("/grants/{grant}/subscriptions");
    let subscriptions = client.list(&path).await?;
    let found = subscriptions.iter().find(|found| text(found, "/name") == subscribe.name);
    let Some(found) = found else {
        let from = subscribe.from.as_deref().unwrap_or("start");
        let body = json!({ "name": subscribe.name, "from": from, "deletes": !subscribe.no_deletes });
        let made = client.post(&path, &body).await?.body;
        return Ok(text(&made, "/id"));
    };
    if subscribe.no_deletes && found.get("deletes") == Some(&Value::Bool(true)) {
        return Err(Failure::Usage(format!(
            "the subscription {} has delete lines; choose another name for one without",
            subscribe.name
        )));
    }
    let id = text(found, "/id");
    if let Some(from) = &subscribe.from {
        client.post(&format!("/subscriptions/{id}/seek"), &json!({ "from": from })).await?;
    }
    Ok(id)
}

fn open(subscribe: &Subscribe) -> Done<Out> {
    let Some(path) = &subscribe.out else { return Ok(Box::new(BufWriter::new(std::io::stdout()))) };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// False where nobody reads what is printed any more.
pub(super) fn write(out: &mut dyn Write, lines: &[u8]) -> Done<bool> {
    match out.write_all(lines).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Failed(format!("the lines could not be written: {error}"))),
    }
}
