//! From a source to the bus: one step at a time, each with the position behind it. The stored position is the only
//! one there is, so whatever was lost on the way is asked of the bus, never guessed.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal, Text};
use changtong_catalog::ports::{Receipt, SourceStep};
use serde_json::Value;

use super::control::{Control, Flow, slow_down};
use super::failing::{Failing, lies_with_the_part};
use super::spec::SourceSpec;
use crate::bus::{Bus, SourceBatch};
use crate::events::ConnectorMovedRecords;
use crate::source::{Part, Source, Step};

/// How often it looks for something new.
const LOOK: Duration = Duration::from_secs(1);
/// A file that waits for a confirmation is looked at again after this.
const ASK_AGAIN: Duration = Duration::from_secs(60);

pub(super) async fn run(
    source: &mut dyn Source,
    name: &str,
    spec: &SourceSpec,
    bus: &dyn Bus,
    control: &mut Control,
    mut failing: Failing,
) -> Result<(), Refusal> {
    loop {
        failing.heard(control.version());
        let parts = source.discover().await?;
        control.awaits(source.awaited());
        failing.keep(&parts);
        control.fails_in(&parts);
        for part in parts {
            if failing.rests(&part) {
                continue;
            }
            match read_part(source, &part, name, spec, bus, control).await {
                Ok(Flow::Continue(())) => failing.went_well(&part),
                Ok(Flow::Break(())) => return Ok(()),
                Err(refusal) if refusal.code == Code::ConfirmRequired => {
                    if control.ask(&refusal, ASK_AGAIN).await.is_break() {
                        return Ok(());
                    }
                }
                Err(refusal) if lies_with_the_part(&refusal) => {
                    let pause = failing.failed(&part, &refusal);
                    control.part_failed(&part, &refusal, pause);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        if control.proceed().await.is_break() || control.wait(LOOK).await.is_break() {
            return Ok(());
        }
    }
}

async fn read_part(
    source: &mut dyn Source,
    part: &Part,
    name: &str,
    spec: &SourceSpec,
    bus: &dyn Bus,
    control: &mut Control,
) -> Result<Flow, Refusal> {
    if control.proceed().await.is_break() {
        return Ok(Flow::Break(()));
    }
    let name = source_name(name, control.resets(), &part.name);
    let mut position = bus.position(&name).await?;
    control.at(Some(&part.label), &position, Some(part.bytes));
    let confirmed = control.confirmed().map(str::to_owned);
    let mut reading = source.read(part, &position, bus, confirmed.as_deref()).await?;
    while let Some(step) = reading.next().await? {
        let to = step.to.clone();
        let left = step.left;
        let offered = step.records;
        let deletes = step.deletes;
        let receipt = match publish(step, part, &name, &position, spec, bus, control).await? {
            Outcome::Published(receipt) => receipt,
            // Not finished: it is looked at again, from where the bus says it stands.
            Outcome::Before => return Ok(Flow::Continue(())),
            Outcome::Stop => return Ok(Flow::Break(())),
        };
        position = to;
        let (accepted, aside) = (receipt.accepted.unsigned_abs(), receipt.quarantined.unsigned_abs());
        ConnectorMovedRecords { outcome: "published", records: accepted }.emit(control.metrics());
        control.advanced(&position, Some(left), |counts| {
            counts.offered += offered;
            counts.accepted += accepted;
            counts.quarantined += aside;
            counts.deleted += deletes;
        });
    }
    control.at(Some(&part.label), &position, Some(reading.left()));
    source.finished(part);
    control.part_went_well(part);
    control.caught_up();
    Ok(Flow::Continue(()))
}

/// What became of a step.
enum Outcome {
    Published(Receipt),
    /// The same step had been published before, by a try of which no answer came back: the process before this one
    /// died while the bus was at it.
    Before,
    /// It is to stop, and this step was not published.
    Stop,
}

async fn publish(
    step: Step,
    part: &Part,
    name: &str,
    from: &str,
    spec: &SourceSpec,
    bus: &dyn Bus,
    control: &mut Control,
) -> Result<Outcome, Refusal> {
    let batch = SourceBatch {
        body: step.body,
        format: step.format,
        on_invalid: spec.on_invalid,
        step: SourceStep { connector: name.to_owned(), from: from.to_owned(), to: step.to },
    };
    loop {
        if control.proceed().await.is_break() {
            return Ok(Outcome::Stop);
        }
        match bus.publish(batch.clone()).await {
            Ok(receipt) => return Ok(Outcome::Published(receipt)),
            Err(refusal) if stands_at(&refusal, &batch.step.to) => return Ok(Outcome::Before),
            Err(refusal) => match slow_down(&refusal) {
                Some(wait) if control.wait(wait).await.is_break() => return Ok(Outcome::Stop),
                Some(_) => {}
                None => return Err(named(refusal, part, &step.lines, control)),
            },
        }
    }
}

/// Whether the bus refuses a step because the source stands behind it already.
fn stands_at(refusal: &Refusal, position: &str) -> bool {
    let stored = refusal.extra.get("position").and_then(Value::as_str);
    refusal.code == Code::SourcePosition && stored == Some(position)
}

/// Records that do not fit are named by file and line, what else lies with a body by the file that it is of.
fn named(refusal: Refusal, part: &Part, lines: &[u64], control: &Control) -> Refusal {
    if refusal.code != Code::RecordsInvalid {
        return if lies_with_the_part(&refusal) { in_file(refusal, &part.label) } else { refusal };
    }
    let listed = refusal.extra.get("invalid").and_then(Value::as_array);
    let first = listed.and_then(|listed| listed.first());
    let index = first.and_then(|first| first.get("index")).and_then(Value::as_u64);
    let line = index.and_then(|index| lines.get(usize::try_from(index).ok()?)).copied();
    let total = refusal.extra.get("invalid_total").and_then(Value::as_u64);
    control.refused(total.or(listed.map(|listed| listed.len() as u64)).unwrap_or(0));
    let word = |at: &str| first.and_then(|first| first.pointer(at)).and_then(Value::as_str).unwrap_or("");
    let (path, zh, en, label) = (word("/path"), word("/reason/zh"), word("/reason/en"), &part.label);
    let place = line.map_or_else(|| "?".to_owned(), |line| line.to_string());
    Refusal::new(
        Code::RecordsInvalid,
        format!("文件 {label} 第 {place} 行不符合模式:{path} {zh};请修正,或设 on_invalid = \"quarantine\""),
        format!(
            "line {place} of the file {label} does not fit the schema: {path} {en}; mend it, or set \
             on_invalid = \"quarantine\""
        ),
    )
    .with("path", label.as_str())
    .with("line", line)
}

fn in_file(refusal: Refusal, label: &str) -> Refusal {
    let Text { zh, en } = &refusal.text;
    let text = Text::new(format!("文件 {label}:{zh}"), format!("the file {label}: {en}"));
    Refusal { text, ..refusal }
}

/// What stands in `Changtong-Source`: a reset connector is another source, so that nothing of before can interfere.
fn source_name(name: &str, resets: i32, part: &str) -> String {
    let reset = if resets == 0 { String::new() } else { format!("~{resets}") };
    if part.is_empty() { format!("{name}{reset}") } else { format!("{name}{reset}/{part}") }
}
