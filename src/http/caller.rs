//! Who is calling: the bearer key of a request turned into a `Caller`. Whatever is wrong with a credential the answer
//! is the same, and every refusal costs the same steps.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath};
use changtong_catalog::account::Caller;
use changtong_catalog::api_key::{KeyBook, KeyText, judge, unauthenticated};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::KeyId;
use changtong_catalog::mac::MacKey;
use changtong_catalog::ports::{Directory as _, KeyRecord};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::frame::{Recognised, Source};
use super::guesses::Guess;
use super::problem::Problem;
use crate::app::App;
use crate::keys::Purpose;

/// A caller whose key stands.
#[derive(Debug)]
pub struct Known(pub Caller);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let from = parts.extensions.get::<Source>().copied();
        let caller = of_key(app, from, bearer(&parts.headers).ok_or_else(unauthenticated)?).await?;
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

/// The caller whose key this is, as that address sends it.
pub(super) async fn of_key(app: &App, from: Option<Source>, text: &str) -> Result<Caller, Refusal> {
    let key = KeyText::parse(text).ok();
    let guess = Guess::new(from, key.as_ref().map(KeyText::id));
    let beyond = app.guesses.beyond(&guess, Instant::now());
    let now = app.clock.now();
    let book = Book { app, in_turn: beyond.is_some() };
    let record = match judge(key.as_ref(), &book, now).await {
        Err(refusal) if refusal.code == Code::Unauthenticated => {
            app.guesses.count(guess, Instant::now());
            return Err(beyond.map_or(refusal, |beyond| {
                app.metrics.http.guess_limited(beyond.by);
                beyond.refusal
            }));
        }
        judged => judged?,
    };
    app.uses.note(&record.id, now);
    Ok(Caller { agency: record.agency, account: record.account, key: record.id, roles: record.roles })
}

/// The store's keys. Of guessers beyond their limit it is asked one at a time.
struct Book<'a> {
    app: &'a App,
    in_turn: bool,
}

impl KeyBook for Book<'_> {
    fn remembered(&self, id: &KeyId) -> Option<KeyRecord> {
        self.app.store.remembered_key(id)
    }

    async fn stored(&self, id: &KeyId) -> Result<Option<KeyRecord>, Refusal> {
        let _turn = if self.in_turn { Some(self.app.guesses.turn().await) } else { None };
        self.app.store.key(id).await
    }

    fn pepper(&self, record: Option<&KeyRecord>) -> Result<MacKey, Refusal> {
        match record.and_then(|record| self.app.keys.get(Purpose::Pepper, &record.pepper)) {
            Some(key) => Ok(MacKey::new(key.expose())),
            None => self.app.keys.in_force(Purpose::Pepper).map(|(_, key)| key),
        }
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
