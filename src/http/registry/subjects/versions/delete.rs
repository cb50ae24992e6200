//! `DELETE /subjects/{subject}/versions/{version}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::delete_version;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::act;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn delete(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<i32>> {
    let (version, permanent) = (place.version()?, asked.flag("permanent"));
    let subject = place.meant_to_change(&app, &caller).await?;
    let act = act(&app, &caller);
    Ok(Json(delete_version(&app.store, &act, &subject, version, permanent).await?))
}
