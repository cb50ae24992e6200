//! `GET /keys/{id}`

use axum::Json;
use axum::extract::State;
use changtong_catalog::account::ApiKey;
use changtong_catalog::ids::KeyId;

use super::{no_key, seen_by};
use crate::http::parts::At;
use crate::http::problem::Answer;
use crate::http::{Known, Web};

pub async fn show(State(app): State<Web>, Known(caller): Known, At(id): At<KeyId>) -> Answer<Json<ApiKey>> {
    let key = app.store.read().await?.api_key(&id).await?.ok_or_else(no_key)?;
    seen_by(&caller, key.account)?;
    Ok(Json(key))
}
