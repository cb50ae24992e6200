//! `GET /schemas/ids/{id}/versions`

use axum::Json;
use axum::extract::State;
use changtong_catalog::registry::Subject;
use serde_json::{Value, json};

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
    let subject = place.meant_by(&asked, &app, &caller).await?;
    let (deleted, paging) = (asked.flag("deleted"), asked.paging()?);
    let uses = app.store.registry_uses(&caller, place.id()?.0, Some(&subject), deleted, paging).await?;
    let shown =
        |(subject, version): (Subject, i32)| json!({ "subject": subject.to_string(), "version": version });
    Ok(Json(uses.into_iter().map(shown).collect()))
}
