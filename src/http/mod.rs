//! HTTP: a thin skin over gate and actions. `router.rs` is the table of contents; a handler takes the parts of its
//! request, calls one thing and maps what comes back.

mod accounts;
mod agencies;
mod audit;
pub mod body;
mod caller;
pub(crate) mod command;
mod connectors;
mod ended;
mod etag;
pub mod frame;
mod grants;
pub mod guesses;
mod idempotency;
pub(crate) mod keys;
pub mod leaving;
pub mod listener;
mod objects;
pub mod openapi;
mod operations;
pub mod page;
mod parts;
pub mod problem;
mod quarantine;
mod records;
pub mod registry;
mod requests;
mod resources;
pub mod router;
pub mod shares;
pub mod slow;
mod subscriptions;
mod whoami;

use std::sync::Arc;

pub use caller::Known;
pub use connectors::process_router;
pub use operations::router as operations_router;
pub use router::{ROUTES, Route, router, turning_away};

use crate::app::App;

/// What every handler shares.
pub type Web = Arc<App>;
