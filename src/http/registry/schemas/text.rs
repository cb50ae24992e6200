//! `GET /schemas/ids/{id}/schema`: the text alone.

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
    let subject = place.meant_by(&asked, &app, &caller).await?;
    let known = app.store.registry_schema(&caller, place.id()?.0, Some(&subject)).await?;
    let text = formatted(&app, &caller, &asked, &known).await?;
    Ok(text.unwrap_or_else(|| known.content.text.clone()))
}
