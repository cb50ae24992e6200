//! `GET /schemas/ids/{id}/subjects`

use axum::Json;
use axum::extract::State;
use changtong_catalog::registry::Subject;

use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn subjects(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Json<Vec<String>>> {
    let subject = place.meant_by(&asked, &app, &caller).await?;
    let (deleted, paging) = (asked.flag("deleted"), asked.paging()?);
    let users = app.store.registry_users(&caller, place.id()?.0, Some(&subject), deleted, paging).await?;
    Ok(Json(users.iter().map(Subject::to_string).collect()))
}
