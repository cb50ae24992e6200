//! `POST /agencies/{code}/suspend`

use axum::extract::State;
use changtong_catalog::actions::suspend_agency;
use changtong_catalog::ports::Ended;

use super::named;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{MaybeReason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn suspend(State(app): State<Web>, At(name): At<String>, command: Command<MaybeReason>) -> Answer {
    let agency = named(&mut app.store.read().await?, &name).await?.id;
    let web = app.clone();
    let change = async move {
        let call = command.call(&web, "suspend_agency", agency);
        suspend_agency(&web.store, &call.act(), agency, command.document.cause).await.map(drop)
    };
    end(&app, Ended::Agency(agency), change).await
}
