//! `POST /grants/{id}/subscriptions`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::{NewSubscription, create_subscription};
use changtong_catalog::ids::GrantId;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Shown;
use super::place::from;
use crate::http::command::Command;
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Web, grants};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: String,
    from: String,
    #[serde(default = "yes")]
    deletes: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize)]
struct Made {
    #[serde(flatten)]
    subscription: Shown,
    /// The cursor where reading starts.
    next: String,
}

pub async fn create(State(app): State<Web>, At(grant): At<GrantId>, command: Command<New>) -> Answer {
    grants::visible(&mut app.store.read().await?, &command.caller, grant).await?;
    let New { name, from: text, deletes } = &command.document;
    let place = app.gate.place(grant, &from(text)).await?;
    let call = command.call(&app, "create_subscription", grant);
    let new = NewSubscription {
        grant,
        name: name.clone(),
        deletes: *deletes,
        view: place.view,
        generation: place.generation,
        position: place.position,
    };
    let subscription = create_subscription(&app.store, &call.act(), new).await?.object;
    let next = app.gate.position(subscription.id).await?;
    let made = Made { subscription: subscription.into(), next };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}
