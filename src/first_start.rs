//! The first start of an empty store: the agency `authority`, its account and the key, printed once and written as the
//! profile `authority`.

use std::net::SocketAddr;
use std::path::PathBuf;

use changtong_catalog::actions::bootstrap;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::Refusal;
use chrono::TimeDelta;

use crate::app::App;
use crate::http::keys::fresh;
use crate::profiles::{Profile, Profiles};

/// The first key should be replaced by named ones long before.
const DAYS: i64 = 365;

/// Makes the authority if the store has no agency; prints its key, which cannot be had again.
pub async fn found_authority(app: &App, api: SocketAddr, profiles: Option<PathBuf>) -> Result<(), Refusal> {
    if !app.store.read().await?.is_empty().await? {
        return Ok(());
    }
    let (text, new) = fresh(app)?;
    let now = app.clock.now();
    let founded = bootstrap(&app.store, now, &*app.ids, &new, now + TimeDelta::days(DAYS)).await?;
    if founded.is_none() {
        return Ok(());
    }
    let (text, url) = (text.text(), format!("http://{api}"));
    println!("The store was empty. The key of the account `authority` is shown this once:");
    println!();
    println!("  {}", text.expose());
    println!();
    let Some(path) = profiles else { return Ok(()) };
    let written = Profiles::open(&path).and_then(|mut profiles| {
        profiles.set("authority", Profile { url, key: text.expose().to_owned(), ca: None });
        profiles.save()
    });
    match written {
        Ok(()) => println!("It is also the profile `authority` in {}.", path.display()),
        Err(reason) => tracing::warn!(reason, "the profile `authority` could not be written"),
    }
    Ok(())
}
