//! `changtong bench connector`

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::failure::{Done, Failure};
use super::load::{self, Format};
use super::measure::{self, Measured, Times};
use super::publish::visible;
use super::report::Row;
use super::{Connecting, setup};
use crate::client::Client;

const NAME: &str = "bench";
const FILE: &str = "bench.csv";
/// Between two looks at what the connector reports.
const LOOK: Duration = Duration::from_millis(100);

pub async fn run(authority: &Client, bench: &Connecting) -> Done<Vec<Row>> {
    let provider = setup::agency(authority).await?;
    let code = setup::resource(&provider).await?;
    let records = bench.thousands * 1000;
    write(&bench.root.join(&provider.code), records)?;
    let spec = json!({
        "name": NAME, "resource": code, "source": { "file": { "path": FILE, "format": "csv", "mode": "append" } },
    });
    let began = Instant::now();
    let started = measure::start(bench.pid);
    provider.first.post("/connectors", &spec).await?;
    let answered = wait(&provider.first, u64::from(records)).await?;
    let (elapsed, used) = (began.elapsed(), measure::stop(started));
    let visible = visible(&provider.first, &code).await?;
    provider.first.delete(&format!("/connectors/{NAME}")).await?;
    let measured =
        Measured { records: visible, answered, elapsed, calls: Times::default(), sent_again: None, used };
    Ok(vec![measured.row("connector, a CSV file")])
}

fn write(folder: &Path, records: u32) -> Done {
    let body = load::body(Format::Csv, 0, records);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(FILE), &body));
    written.map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}

/// Until the connector says that everything was accepted; how much it says.
async fn wait(client: &Client, records: u64) -> Done<u64> {
    loop {
        let shown = client.get(&format!("/connectors/{NAME}")).await?;
        let accepted = shown.pointer("/status/details/counts/accepted").and_then(Value::as_u64).unwrap_or(0);
        if accepted >= records {
            return Ok(accepted);
        }
        if shown.pointer("/status/state").and_then(Value::as_str) == Some("failed") {
            let reason = shown.pointer("/status/details/last_error/en").and_then(Value::as_str);
            return Err(Failure::Failed(format!("the connector failed: {}", reason.unwrap_or_default())));
        }
        tokio::time::sleep(LOOK).await;
    }
}
