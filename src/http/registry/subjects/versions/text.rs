//! `GET /subjects/{subject}/versions/{version}/schema`: the text alone.

use axum::extract::State;

use super::formatted;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn text(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<String> {
    let version = place.version()?;
    let subject = place.meant(&app, &caller).await?;
    let found = app.store.registry_version(&caller, &subject, version, asked.flag("deleted")).await?;
    Ok(formatted(&app, &caller, &asked, &found).await?.unwrap_or_else(|| found.content.text.clone()))
}
