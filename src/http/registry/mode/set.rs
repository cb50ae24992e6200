//! `PUT /mode`, `PUT /mode/{subject}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::set_mode;
use changtong_catalog::registry::Mode;
use serde::Deserialize;
use serde_json::Value;

use super::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::document::Document;
use crate::http::registry::place::Place;

#[derive(Debug, Deserialize)]
pub struct New {
    #[serde(default)]
    mode: String,
}

pub async fn set(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
    Document(new): Document<New>,
) -> Answer<Json<Value>> {
    let mode = Mode::parse(&new.mode)?;
    let act = act(&app, &caller);
    set_mode(&app.store, &act, &place.named(), Some(mode), asked.flag("force")).await?;
    Ok(shown(mode))
}
