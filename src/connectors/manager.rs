//! Keeps what runs equal to what is ordered: starts, orders and ends runners as the store says, and reports for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use changtong_catalog::clock::Clock as _;
use changtong_catalog::connector::{Connector, Desired, Process};
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::{AccountId, ConnectorId};
use changtong_connectors::fault;
use changtong_connectors::runner::{ConnectorSpec, Failure, Orders, Parts, RunState, Runner, Status};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::account::ActsAs;
use super::bus::GateBus;
use super::report::{Reported, still};
use super::surroundings::{Around, files};
use crate::app::App;

const EVERY: Duration = Duration::from_secs(1);
/// A batch at work when the app stops gets so long; the process could be killed as well.
const LAST_BATCH: Duration = Duration::from_secs(10);
/// What could not start is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(15);

/// Wakes the manager when somebody ordered something, and knows how its runners go at this moment.
#[derive(Debug, Default)]
pub struct Manager {
    ordered: Notify,
    running: Mutex<HashMap<ConnectorId, watch::Receiver<Status>>>,
}

impl Manager {
    pub fn wake(&self) {
        self.ordered.notify_one();
    }

    /// The details of a connector that runs here, newer than what was last written to the store.
    #[must_use]
    pub fn details(&self, id: ConnectorId) -> Option<Value> {
        self.running.lock().get(&id).map(|status| status.borrow().details())
    }
}

/// One connector of the store.
struct Managed {
    /// What it was started from; another file, account or reset is another start.
    basis: (Value, AccountId, i32),
    work: Work,
    reported: Reported,
}

enum Work {
    Runs(Runner),
    /// It was told to end; the next one begins behind it, as two writers would only stand in each other's way.
    Ends(Runner),
    /// It could not start: why, and until when it is left alone.
    Broken(Box<Status>, Duration),
    Still,
}

/// Runs until the app stops, then ends every runner behind the batch at work.
pub async fn run(app: Arc<App>) {
    let mut managed: HashMap<ConnectorId, Managed> = HashMap::new();
    loop {
        if let Err(refusal) = app.background.run("connectors", compare(&app, &mut managed)).await {
            tracing::warn!(code = %refusal.code, "connectors could not be compared with the store: {}", refusal.text.en);
        }
        tokio::select! {
            () = app.stop.cancelled() => break,
            () = app.connectors.ordered.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    let ends = managed.into_values().filter_map(|managed| match managed.work {
        Work::Runs(runner) | Work::Ends(runner) => Some(runner.stop()),
        _ => None,
    });
    if tokio::time::timeout(LAST_BATCH, futures::future::join_all(ends)).await.is_err() {
        tracing::warn!(
            "batches at work were left; each counts once or not at all, as the next start will see"
        );
    }
}

async fn compare(app: &Arc<App>, managed: &mut HashMap<ConnectorId, Managed>) -> Result<(), Refusal> {
    fault::point(fault::COMPARING);
    let stored = all(app).await?;
    let gone: Vec<ConnectorId> =
        managed.keys().filter(|id| !stored.iter().any(|connector| connector.id == **id)).copied().collect();
    for id in gone {
        app.connectors.running.lock().remove(&id);
        if let Some(Managed { work: Work::Runs(runner) | Work::Ends(runner), .. }) = managed.remove(&id) {
            // Behind its batch; nobody waits for that.
            runner.end();
        }
    }
    for connector in stored {
        let basis = (connector.spec.clone(), connector.account, connector.resets);
        let entry = managed.entry(connector.id).or_insert_with(|| Managed {
            basis: basis.clone(),
            work: Work::Still,
            reported: Reported::default(),
        });
        follow(app, entry, &connector, basis).await;
        let running = match &entry.work {
            Work::Runs(runner) | Work::Ends(runner) => {
                app.connectors.running.lock().insert(connector.id, runner.status())
            }
            _ => app.connectors.running.lock().remove(&connector.id),
        };
        drop(running);
        report(app, entry, connector.id).await?;
    }
    Ok(())
}

/// Every connector that is this server's to run.
async fn all(app: &App) -> Result<Vec<Connector>, Refusal> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = app.store.connectors(None, after.as_deref(), 200).await?;
        found.extend(page.items.into_iter().filter(|connector| connector.process() == Process::Server));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

async fn follow(app: &Arc<App>, entry: &mut Managed, connector: &Connector, basis: (Value, AccountId, i32)) {
    let orders = Orders::from(connector);
    if entry.basis != basis {
        entry.basis = basis;
        entry.work = match std::mem::replace(&mut entry.work, Work::Still) {
            // Nobody waits for it here: what it writes to may hang, and this is everybody's loop.
            Work::Runs(runner) | Work::Ends(runner) => {
                runner.end();
                Work::Ends(runner)
            }
            Work::Broken(..) | Work::Still => Work::Still,
        };
    }
    match &entry.work {
        Work::Runs(runner) | Work::Ends(runner) if runner.has_ended() => entry.work = Work::Still,
        Work::Ends(_) => return,
        _ => {}
    }
    match (&entry.work, connector.desired) {
        (Work::Runs(runner), _) => runner.order(orders),
        (_, Desired::Stopped) => entry.work = Work::Still,
        (Work::Broken(_, until), _) if app.clock.monotonic() < *until => {}
        _ => {
            entry.work = match start(app, connector, orders).await {
                Ok(runner) => Work::Runs(runner),
                Err(refusal) => {
                    let until = app.clock.monotonic() + TRY_AGAIN;
                    Work::Broken(Box::new(broken(app, refusal)), until)
                }
            };
        }
    }
}

async fn start(app: &Arc<App>, connector: &Connector, orders: Orders) -> Result<Runner, Refusal> {
    let spec = ConnectorSpec::from_value(&connector.spec)?;
    let agency = app.store.read().await?.agency(connector.agency).await?;
    let agency = agency.ok_or_else(|| Refusal::not_found("机构", "agency"))?;
    let bus = GateBus::new(app.clone(), ActsAs::new(connector.account), &spec);
    let parts = Parts {
        bus: Arc::new(bus),
        root: files(&app.settings, &agency)?,
        surroundings: Arc::new(Around::of(&app.settings, &agency)),
        clock: app.clock.clone(),
        ids: app.ids.clone(),
        metrics: app.gate.metrics(),
        spec,
    };
    Ok(Runner::start(parts, orders))
}

fn broken(app: &App, refusal: Refusal) -> Status {
    tracing::warn!(code = %refusal.code, "a connector cannot start: {}", refusal.text.en);
    let now = app.clock.now();
    let failure = Failure { refusal, at: now, retry_in: TRY_AGAIN };
    Status { failure: Some(failure), ..still(now, RunState::Failed) }
}

async fn report(app: &App, entry: &mut Managed, id: ConnectorId) -> Result<(), Refusal> {
    let status = match &entry.work {
        Work::Runs(runner) | Work::Ends(runner) => runner.status().borrow().clone(),
        Work::Broken(status, _) => (**status).clone(),
        Work::Still => still(app.clock.now(), RunState::Stopped),
    };
    if matches!(entry.work, Work::Still) && !entry.reported.is_due_still() {
        return Ok(());
    }
    if entry.reported.is_due(&status, app.clock.monotonic()) {
        entry.reported.write(app, id, status).await?;
    }
    Ok(())
}
