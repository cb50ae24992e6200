//! Whether schemas may be registered: of one subject, of a context, of everything.

mod remove;
mod set;
mod show;

use axum::Json;
use changtong_catalog::registry::Mode;
use serde_json::{Value, json};

pub use remove::remove;
pub use set::set;
pub use show::show;

fn shown(mode: Mode) -> Json<Value> {
    Json(json!({ "mode": mode.as_str() }))
}
