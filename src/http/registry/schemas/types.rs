//! `GET /schemas/types`

use axum::Json;

use crate::http::registry::caller::Registrant;

pub async fn types(_: Registrant) -> Json<[&'static str; 1]> {
    Json(["AVRO"])
}
