//! From the bus to a sink: read from the cursor that the target holds, apply, acknowledge.

use std::time::Duration;

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::resource::Kind;

use super::control::{Control, Flow, slow_down};
use super::spec::SinkSpec;
use crate::bus::{Applied, Bus, Subscribed};
use crate::events::ConnectorMovedRecords;
use crate::gate::From;
use crate::sink::{Batch, Page, Sink};

/// Between two reads that brought nothing; the bus itself waits longer.
const IDLE: Duration = Duration::from_millis(100);

/// Where a copy stands.
struct Place {
    cursor: Option<String>,
    /// The next batch begins the copy anew.
    begins: bool,
}

pub(super) async fn run(
    sink: &mut dyn Sink,
    name: &str,
    spec: &SinkSpec,
    bus: &dyn Bus,
    control: &mut Control,
) -> Result<(), Refusal> {
    let subscription = spec.subscription.as_deref().unwrap_or(name);
    let subscribed = bus.subscribe(subscription, &spec.from, spec.deletes).await?;
    let held = sink.open(&subscribed, control.resets()).await?;
    let mut place = begin(held, &subscribed, spec, bus).await?;
    loop {
        if control.proceed().await.is_break() {
            return Ok(());
        }
        // An order ends a read that waits; what it would have brought comes again.
        let read = tokio::select! {
            biased;
            () = control.ordered() => continue,
            read = bus.poll(subscribed.id, place.cursor.as_deref()) => read,
        };
        match read {
            Ok(page) => {
                let page = Page::parse(&page)?;
                if take(sink, &page, &mut place, &subscribed, bus, control).await?.is_break() {
                    return Ok(());
                }
            }
            Err(refusal) => match elsewhere(&refusal, &place, &subscribed, bus, control).await? {
                Some(moved) => place = Place { begins: moved.begins || place.begins, ..moved },
                None => match slow_down(&refusal) {
                    Some(wait) if control.wait(wait).await.is_break() => return Ok(()),
                    Some(_) => {}
                    None => return Err(refusal),
                },
            },
        }
    }
}

async fn begin(
    held: Option<String>,
    subscribed: &Subscribed,
    spec: &SinkSpec,
    bus: &dyn Bus,
) -> Result<Place, Refusal> {
    if let Some(cursor) = held {
        // The answer to its last acknowledgement may have been lost; if it is void by now, the read says so.
        let applied = Applied { next: cursor.clone(), window: None, digest: None };
        let acked = bus.acknowledge(subscribed.id, applied).await;
        if let Err(refusal) = acked
            && !matches!(refusal.code, Code::ViewChanged | Code::CursorSuperseded)
        {
            return Err(refusal);
        }
        return Ok(Place { cursor: Some(cursor), begins: false });
    }
    let cursor = if subscribed.created { None } else { Some(bus.seek(subscribed.id, &spec.from).await?) };
    Ok(Place { cursor, begins: true })
}

async fn take(
    sink: &mut dyn Sink,
    page: &Page,
    place: &mut Place,
    subscribed: &Subscribed,
    bus: &dyn Bus,
    control: &mut Control,
) -> Result<Flow, Refusal> {
    let still = place.cursor.as_deref() == Some(page.next.as_str());
    if page.lines.is_empty() && still && !place.begins {
        control.caught_up();
        return Ok(control.wait(IDLE).await);
    }
    let batch = Batch { lines: &page.lines, next: &page.next, begins: place.begins };
    let written = sink.apply(&batch).await?;
    *place = Place { cursor: Some(page.next.clone()), begins: false };
    let delivered = page.lines.len() as u64;
    ConnectorMovedRecords { outcome: "applied", records: delivered }.emit(control.metrics());
    control.advanced(&page.next, None, |counts| {
        counts.delivered += delivered;
        counts.upserts += written.upserts;
        counts.deletes += written.deletes;
    });
    let applied = Applied { next: page.next.clone(), window: page.window, digest: page.digest.clone() };
    bus.acknowledge(subscribed.id, applied).await?;
    Ok(Flow::Continue(()))
}

/// Where the bus says to go on: at the new view's first cursor, where a person set the position, or at the first record
/// that is still there.
async fn elsewhere(
    refusal: &Refusal,
    place: &Place,
    subscribed: &Subscribed,
    bus: &dyn Bus,
    control: &mut Control,
) -> Result<Option<Place>, Refusal> {
    let next = || refusal.extra.get("next").and_then(|next| next.as_str()).map(str::to_owned);
    match refusal.code {
        Code::ViewChanged => Ok(Some(Place { cursor: next(), begins: true })),
        // A copy that is only begun misses nothing of what it held.
        Code::PositionExpired if place.begins => Ok(Some(Place { cursor: next(), begins: true })),
        Code::PositionExpired => {
            control.gap(refusal);
            match subscribed.kind {
                // The facts that were delivered stay, though the log has them no more.
                Kind::Stream => Ok(Some(Place { cursor: next(), begins: false })),
                // Rows may have changed, or gone, in what is missing: the copy begins anew with all that is there.
                Kind::Table => {
                    let cursor = bus.seek(subscribed.id, &From::Start).await?;
                    Ok(Some(Place { cursor: Some(cursor), begins: true }))
                }
            }
        }
        Code::CursorSuperseded => {
            let cursor = bus.subscription_position(subscribed.id).await?;
            Ok(Some(Place { cursor: Some(cursor), begins: false }))
        }
        _ => Ok(None),
    }
}
