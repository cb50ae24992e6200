//! `POST /compatibility/subjects/{subject}/versions/{version}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::{Against, check_compatibility};
use changtong_catalog::registry::Candidate;
use serde_json::Value;

use super::told;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::document::Document;
use crate::http::registry::place::Place;

pub async fn one(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
    Document(candidate): Document<Candidate>,
) -> Answer<Json<Value>> {
    let (against, normalize) = (Against::Version(place.version()?), asked.flag("normalize"));
    let subject = place.meant(&app, &caller).await?;
    let messages =
        check_compatibility(&app.store, &act(&app, &caller), &subject, &candidate, against, normalize)
            .await?;
    Ok(told(&asked, &messages))
}
