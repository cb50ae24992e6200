//! Who is calling the registry: a key as a bearer token, or as the password of the account whose key it is. Under
//! `--dev` a call without any is the built-in development account's.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changtong_catalog::account::Caller;
use changtong_catalog::api_key::unauthenticated;
use changtong_catalog::error::Refusal;
use changtong_catalog::ids::AccountId;
use changtong_catalog::store::asked_by;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::development::development;
use crate::app::App;
use crate::http::caller::{credential, of_key, recognised};
use crate::http::frame::Source;
use crate::http::problem::Problem;

/// A caller whose credential stands.
#[derive(Debug)]
pub struct Registrant(pub Caller);

/// What is remembered of callers: names of accounts, which never change, and the development account.
#[derive(Debug, Default)]
pub struct Callers {
    names: Mutex<HashMap<AccountId, Arc<str>>>,
    development: OnceCell<Caller>,
}

impl FromRequestParts<Arc<App>> for Registrant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let from = parts.extensions.get::<Source>().copied();
        let caller = recognise(app, from, &parts.headers).await?;
        recognised(app, parts, &caller)?;
        app.gate.call(&caller)?;
        Ok(Self(caller))
    }
}

async fn recognise(app: &App, from: Option<Source>, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let Some((scheme, rest)) = credential(headers) else {
        if app.settings.dev && !headers.contains_key(AUTHORIZATION) {
            return app.registrants.development.get_or_try_init(|| development(app)).await.cloned();
        }
        return Err(unauthenticated());
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return of_key(app, from, rest).await;
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unauthenticated());
    }
    let (user, key) = user_and_password(rest).ok_or_else(unauthenticated)?;
    let caller = of_key(app, from, &key).await?;
    if user == caller.account.to_string() || *user == *name(app, &caller).await? {
        Ok(caller)
    } else {
        Err(unauthenticated())
    }
}

fn user_and_password(token: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

async fn name(app: &App, caller: &Caller) -> Result<Arc<str>, Refusal> {
    if let Some(name) = app.registrants.names.lock().get(&caller.account) {
        return Ok(name.clone());
    }
    let asked = async { app.store.read().await?.account(caller.account).await };
    // Its key stands, so it asks in its own name already.
    let found =
        asked_by(Arc::new(app.shares.of_caller(caller)?), asked).await?.ok_or_else(unauthenticated)?;
    let name: Arc<str> = found.name.into();
    app.registrants.names.lock().insert(caller.account, name.clone());
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_hold_colons_and_a_token_is_base64() {
        let token = STANDARD.encode("站长:ctk_a:b");
        assert_eq!(user_and_password(&token), Some(("站长".to_owned(), "ctk_a:b".to_owned())));
        assert_eq!(user_and_password(&STANDARD.encode("no colon")), None);
        assert_eq!(user_and_password("?"), None);
    }
}
