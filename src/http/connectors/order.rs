//! `POST /connectors/{name}/{start,resume,pause,stop,reset,confirm}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::actions::{Order, order_connector};

use super::Shown;
use crate::http::Web;
use crate::http::command::{Command, Nothing};
use crate::http::parts::At;
use crate::http::problem::Answer;

macro_rules! orders {
    ($($verb:ident $order:ident)*) => { $(
        pub async fn $verb(
            State(app): State<Web>,
            At(name): At<String>,
            command: Command<Nothing>,
        ) -> Answer<Json<Shown>> {
            give(&app, &name, command, Order::$order).await
        }
    )* };
}

orders! {
    start Run
    resume Run
    pause Pause
    stop Stop
    reset Reset
    confirm Confirm
}

async fn give(app: &Web, name: &str, command: Command<Nothing>, order: Order) -> Answer<Json<Shown>> {
    let call = command.call(app, &format!("order_connector {order:?}"), name);
    let act = call.act();
    let done = order_connector(&app.store, &act, name, command.expected, order).await?;
    app.connectors.wake();
    Ok(Json(Shown::whole(done.object, act.now)))
}
