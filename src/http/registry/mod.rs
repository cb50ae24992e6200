//! The Schema Registry API that Kafka's clients know (docs/compatibility.md), at the root of a listener of its own and
//! under `/registry` of the API's. `router.rs` is its table of contents.

mod asked;
mod caller;
mod compatibility;
mod config;
mod contexts;
mod development;
mod document;
mod error;
mod media;
mod metadata;
mod mode;
mod place;
mod root;
mod router;
mod schemas;
mod shown;
mod subjects;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::Act;
use changtong_catalog::clock::Clock as _;

pub use caller::Callers;
pub use router::{ROUTES, router, turning_away};

use crate::app::App;

/// The call of an action. Clients of registries send no idempotency keys: what they ask twice is done once by itself.
fn act<'a>(app: &'a App, caller: &'a Caller) -> Act<'a> {
    Act { caller, now: app.clock.now(), ids: &*app.ids, rules: &app.rules, claim: None }
}
