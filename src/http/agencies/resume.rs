//! `POST /agencies/{code}/resume`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::resume_agency;
use changtong_catalog::agency::Agency;

use super::named;
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn resume(
    State(app): State<Web>,
    At(name): At<String>,
    command: Command<Nothing>,
) -> Answer<Json<Agency>> {
    let agency = named(&mut app.store.read().await?, &name).await?.id;
    let call = command.call(&app, "resume_agency", agency);
    Ok(Json(resume_agency(&app.store, &call.act(), agency).await?.object))
}
