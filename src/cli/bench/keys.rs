//! `changtong bench keys`: how long refusing a key takes, by what is wrong with it. What differs would tell a
//! guesser which ids exist. The server must run without `http.refused_per_address` and `http.refused_per_key`.

use std::time::{Duration, Instant};

use changtong_catalog::api_key::KeyText;

use super::super::failure::{Done, Failure};
use super::report::Row;
use super::{Refusing, setup};
use crate::client::{CallError, Client};
use crate::clock::SystemIds;

pub async fn run(authority: &Client, refusing: &Refusing) -> Done<Vec<Row>> {
    let agency = setup::agency(authority).await?;
    let known = KeyText::parse(agency.first.key()).map_err(|refusal| Failure::Failed(refusal.text.en))?;
    let text = |key: KeyText| key.text().expose().to_owned();
    let unknown = text(KeyText::make(&SystemIds));
    let wrong = [
        ("refused: a wrong secret", text(KeyText::guess(known.id().clone(), &SystemIds))),
        ("refused: a wrong checksum", with_another_end(&unknown)),
        ("refused: an unknown id", unknown),
    ];
    let mut callers = Vec::new();
    for (what, key) in wrong {
        let client = authority.with_key(&key)?.with_patience(Duration::ZERO);
        callers.push((what, client, Vec::with_capacity(refusing.calls as usize)));
    }
    // One of each in turn, so that whatever else the machine does falls on all.
    for _ in 0..refusing.calls {
        for (_, client, took) in &mut callers {
            took.push(refused(client).await?);
        }
    }
    Ok(callers.into_iter().map(|(what, _, took)| row(what, took)).collect())
}

/// The same key but for the last character of its checksum.
fn with_another_end(key: &str) -> String {
    let (rest, last) = key.split_at(key.len().saturating_sub(1));
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

async fn refused(client: &Client) -> Done<Duration> {
    let began = Instant::now();
    match client.get("/whoami").await {
        Err(CallError::Refused(problem)) if problem.status == 401 => Ok(began.elapsed()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::Failed("a guessed key was let in".into())),
    }
}

fn row(what: &'static str, mut took: Vec<Duration>) -> Row {
    took.sort_unstable();
    let micros = |took: &Duration| took.as_secs_f64() * 1e6;
    let part = |percent: usize| {
        let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
        took.get(place).map(micros)
    };
    let sum: f64 = took.iter().map(micros).sum();
    Row::new(what)
        .with("calls", took.len() as f64)
        .with_some("p1_us", part(1))
        .with_some("p50_us", part(50))
        .with_some("p99_us", part(99))
        .with_some("mean_us", Some(sum / took.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_is_all_that_is_wrong_with_it() {
        let right = KeyText::make(&SystemIds).text().expose().to_owned();
        let wrong = with_another_end(&right);
        assert!(KeyText::parse(&right).is_ok() && KeyText::parse(&wrong).is_err());
        assert_eq!(right[..right.len() - 1], wrong[..right.len() - 1]);
    }

    #[test]
    fn the_middle_and_the_ends_of_what_was_taken_are_said() {
        let row = row("refused", (1..=1000).rev().map(Duration::from_micros).collect());
        assert_eq!((row.figure("p50_us"), row.figure("p99_us")), (Some(500.0), Some(990.0)));
    }
}
