//! `GET /subjects/{subject}/metadata`: the newest version whose properties hold all the pairs of `key` and `value`.

use axum::extract::State;
use axum::response::Response;

use super::versions::shown;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;

pub async fn metadata(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Response> {
    let pairs: Vec<_> = asked.all("key").zip(asked.all("value")).collect();
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let subject = place.meant(&app, &caller).await?;
    let deleted = asked.flag("deleted");
    let found = app.store.registry_with_metadata(&caller, &subject, &pairs, deleted).await?;
    shown(&app, &caller, &asked, &found).await
}
