//! A request that changes something: who, under which idempotency key, from which version, with which document; and the
//! call of an action that it becomes.

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use changtong_catalog::account::Caller;
use changtong_catalog::actions::Act;
use changtong_catalog::clock::{Clock as _, Time};
use changtong_catalog::ports::Claim;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::parts::Document;
use super::problem::Problem;
use super::{Known, etag, idempotency};
use crate::app::App;

/// Of an action without options.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A request that changes something. `T` is its document.
#[derive(Debug)]
pub struct Command<T> {
    pub caller: Caller,
    pub document: T,
    /// `If-Match`.
    pub expected: Option<i32>,
    key: Option<String>,
    hash: [u8; 16],
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Command<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Known(caller) = Known::from_request_parts(&mut parts, app).await?;
        let key = idempotency::key(&parts.headers)?;
        let expected = etag::if_match(&parts.headers)?;
        let document = Document::from_request(Request::from_parts(parts, body), app).await?;
        Ok(Self { caller, document: document.value, expected, key, hash: document.hash })
    }
}

/// One call of an action, with what it borrows.
pub struct Call<'a> {
    app: &'a App,
    caller: &'a Caller,
    now: Time,
    claim: Option<Claim>,
}

impl<T> Command<T> {
    /// The call of that action on that object.
    pub fn call<'a>(&'a self, app: &'a App, action: &str, object: impl Display) -> Call<'a> {
        let claim = self.key.as_ref().map(|key| Claim {
            account: self.caller.account,
            action: action.to_owned(),
            object: object.to_string(),
            key: key.clone(),
            hash: self.hash,
        });
        Call { app, caller: &self.caller, now: app.clock.now(), claim }
    }
}

impl Call<'_> {
    pub fn act(&self) -> Act<'_> {
        Act {
            caller: self.caller,
            now: self.now,
            ids: &*self.app.ids,
            rules: &self.app.rules,
            claim: self.claim.as_ref(),
        }
    }
}
