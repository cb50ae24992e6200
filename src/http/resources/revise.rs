//! `POST /resources/{code}/revise`: needs `If-Match`.

use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use changtong_catalog::actions::revise_resource;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::resource::ResourceFile;
use http::header::ETAG;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Shown;
use crate::http::Web;
use crate::http::command::Command;
use crate::http::etag::etag;
use crate::http::parts::At;
use crate::http::problem::Answer;

pub async fn revise(State(app): State<Web>, At(code): At<ResourceCode>, command: Command<Brought>) -> Answer {
    let call = command.call(&app, "revise_resource", &code);
    let file = command.document.0.clone();
    let done = revise_resource(&app.store, &call.act(), &code, command.expected, file).await?;
    let shown = Shown::to(&command.caller, &done.object)?;
    Ok(([(ETAG, etag(done.object.version))], Json(shown)).into_response())
}

/// The file that the reviewer brings; without a member, or without a body, what waits is meant.
pub struct Brought(Option<ResourceFile>);

impl<'de> Deserialize<'de> for Brought {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Brought;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rest: A) -> Result<Brought, A::Error> {
        let Some(first) = rest.next_key::<String>()? else { return Ok(Brought(None)) };
        let all = From { first: Some(first), rest };
        ResourceFile::deserialize(MapAccessDeserializer::new(all)).map(|file| Brought(Some(file)))
    }
}

/// The members of an object from the first on, which was looked at.
struct From<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for From<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(first.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}
