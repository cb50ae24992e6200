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
    let call = command.call(&app, "revoke_key", &key);
    revoke_key(&app.store, &call.act(), &key, command.document.cause).await?;
    end(&app, Ended::Key(key)).await
}
