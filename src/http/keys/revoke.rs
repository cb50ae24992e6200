//! `POST /keys/{id}/revoke`

use axum::extract::State;
use changtong_catalog::actions::revoke_key;
use changtong_catalog::ids::KeyId;
use changtong_catalog::ports::Ended;

use crate::http::Web;
use crate::http::command::Command;
use crate::http::ended::{MaybeReason, end};
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn revoke(State(app): State<Web>, At(key): At<KeyId>, command: Command<MaybeReason>) -> Answer {
    let (web, ended) = (app.clone(), Ended::Key(key.clone()));
    let change = async move {
        let call = command.call(&web, "revoke_key", &key);
        revoke_key(&web.store, &call.act(), &key, command.document.cause).await.map(drop)
    };
    end(&app, ended, change).await
}
