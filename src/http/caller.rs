//! Who is calling: the bearer key of a request turned into a `Caller`. Whatever is wrong with a credential the answer
//! is the same, and every refusal costs the same steps.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use changtong_catalog::account::Caller;
use changtong_catalog::api_key::{KeyText, unauthenticated};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use changtong_catalog::mac::MacKey;
use changtong_catalog::ports::{Directory as _, KeyRecord};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::frame::Recognised;
use super::problem::Problem;
use crate::app::App;
use crate::keys::Purpose;

/// A caller whose key stands.
#[derive(Debug)]
pub struct Known(pub Caller);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = of_key(app, bearer(&parts.headers).ok_or_else(unauthenticated)?).await?;
        recognised(app, parts, &caller)?;
        // What moves records is weighed by the gate, with its records and bytes.
        let moves_records =
            parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str().ends_with("/records"));
        if !moves_records {
            app.gate.call(&caller)?;
        }
        Ok(Self(caller))
    }
}

/// Tells the frame who is calling; the caller's share of what is served at once is taken here.
pub(super) fn recognised(app: &App, parts: &Parts, caller: &Caller) -> Result<(), Refusal> {
    match parts.extensions.get::<Recognised>() {
        Some(recognised) => recognised.set(caller, &app.shares),
        None => Ok(()),
    }
}

/// The caller whose key this is.
pub(super) async fn of_key(app: &App, text: &str) -> Result<Caller, Refusal> {
    let key = KeyText::parse(text)?;
    let now = app.clock.now();
    let remembered = app.store.remembered_key(key.id());
    // A key that was good a moment ago is good without a question; every refusal takes all steps, whatever is wrong.
    let record = match key.check(remembered.as_ref(), &pepper(app, remembered.as_ref())?, now) {
        Ok(()) => remembered,
        Err(_) => {
            let stored = app.store.key(key.id()).await?;
            key.check(stored.as_ref(), &pepper(app, stored.as_ref())?, now)?;
            stored
        }
    };
    let record = record.ok_or_else(unauthenticated)?;
    app.uses.note(&record.id, now);
    Ok(Caller { agency: record.agency, account: record.account, key: record.id, roles: record.roles })
}

/// The pepper that the record names; for an unknown key the one in force, so that refusing it costs as much.
fn pepper(app: &App, stored: Option<&KeyRecord>) -> Result<MacKey, Refusal> {
    match stored.and_then(|record| app.keys.get(Purpose::Pepper, &record.pepper)) {
        Some(key) => Ok(MacKey::new(key.expose())),
        None => app.keys.in_force(Purpose::Pepper).map(|(_, key)| key),
    }
}

/// The one credential of a request: its scheme and what follows.
pub(super) fn credential(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    Some((scheme, rest.trim()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    credential(headers).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer ctk_x"));
        assert_eq!(bearer(&headers), Some("ctk_x"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic ctk_x"));
        assert_eq!(bearer(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer ctk_x"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer ctk_y"));
        assert_eq!(bearer(&headers), None);
    }
}
