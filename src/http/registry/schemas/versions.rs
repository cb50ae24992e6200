//! `GET /schemas/ids/{id}/versions`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::Caller;
use changtong_catalog::registry::Subject;
use serde_json::{Value, json};

use super::subject;
use crate::app::App;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn versions(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Vec<Value>>> {
    let uses = asked.paging()?.of(uses(&app, &caller, &place, &asked).await?);
    let shown =
        |(subject, version): (Subject, i32)| json!({ "subject": subject.to_string(), "version": version });
    Ok(Json(uses.into_iter().map(shown).collect()))
}

/// The versions that have the schema; where a subject is asked for, its own only.
pub(super) async fn uses(
    app: &App,
    caller: &Caller,
    place: &Place,
    asked: &Asked,
) -> Answer<Vec<(Subject, i32)>> {
    let subject = subject(place, asked);
    let deleted = asked.flag("deleted");
    let mut uses = app.store.registry_uses(caller, place.id()?.0, Some(&subject), deleted).await?;
    uses.retain(|(used, _)| subject.is_context() || used.name == subject.name);
    Ok(uses)
}
