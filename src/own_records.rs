//! An owner's reading of its own resource: its event is kept before a record is handed on. HTTP and the connectors of
//! this server ask here.

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{Act, read_records};
use changtong_catalog::audit::{ReadPhase, StewardRead};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use changtong_connectors::gate::{OwnPage, OwnRead};

use crate::app::App;

pub async fn read(app: &App, caller: &Caller, read: OwnRead) -> Result<OwnPage, Refusal> {
    let page = app.gate.read_own(caller, read).await?;
    if page.sent > 0 {
        let act = Act { caller, now: app.clock.now(), ids: &*app.ids, rules: &app.rules, claim: None };
        let event = StewardRead {
            resource: page.resource,
            generation: page.generation,
            // A page is made whole: it begins and ends at once.
            phase: ReadPhase::Ended,
            from: page.from.clone(),
            through: Some(page.through.clone()),
            sent: Some(page.sent),
        };
        read_records(&app.store, &act, event).await?;
    }
    Ok(page)
}
