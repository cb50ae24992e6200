//! Refused credentials, counted for a while for each address and each key id (case 14). Beyond a limit the answer is 429
//! with a time to come back, and the store is asked for such keys one at a time, however many guess at once. A right key
//! is let in all the same: ids are no secret, so a limit that refused it would let anybody lock anybody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::KeyId;
use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use super::frame::Source;
use super::shares::network;
use crate::settings::Http;

/// The most addresses and ids that are counted at once; whoever would fill this is beyond a limit of its own long before.
const MOST: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Address(IpAddr),
    Key(KeyId),
}

/// A credential that may turn out to be a guess: from where, and at which id.
#[derive(Debug)]
pub struct Guess {
    address: Option<Subject>,
    key: Option<Subject>,
}

impl Guess {
    #[must_use]
    pub fn new(from: Option<Source>, key: Option<&KeyId>) -> Self {
        Self {
            address: from.map(|Source(from)| Subject::Address(network(from))),
            key: key.cloned().map(Subject::Key),
        }
    }
}

/// A limit that a guess is beyond: the word of its metric, and what a wrong key is answered.
#[derive(Debug)]
pub struct Beyond {
    pub by: &'static str,
    pub refusal: Refusal,
}

/// What was refused lately.
#[derive(Debug)]
pub struct Guesses {
    per_address: Option<u32>,
    per_key: Option<u32>,
    within: Duration,
    counted: Mutex<Counted>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Counted {
    began: Instant,
    refused: HashMap<Subject, u32>,
}

impl Counted {
    /// How long it still counts; begins anew where that is over.
    fn left(&mut self, within: Duration, now: Instant) -> Duration {
        let left = within.saturating_sub(now.saturating_duration_since(self.began));
        if !left.is_zero() {
            return left;
        }
        *self = Self { began: now, refused: HashMap::new() };
        within
    }

    fn has(&self, subject: Option<&Subject>, most: Option<u32>) -> Option<u32> {
        let refused = self.refused.get(subject?).copied().unwrap_or_default();
        most.filter(|most| refused >= *most)
    }
}

impl Guesses {
    #[must_use]
    pub fn new(settings: &Http, now: Instant) -> Self {
        Self {
            per_address: settings.refused_per_address,
            per_key: settings.refused_per_key,
            within: settings.refused_within,
            counted: Mutex::new(Counted { began: now, refused: HashMap::new() }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The limit that this guess is beyond, if it is one.
    #[must_use]
    pub fn beyond(&self, guess: &Guess, now: Instant) -> Option<Beyond> {
        let mut counted = self.counted.lock();
        let left = counted.left(self.within, now);
        let of_address = counted.has(guess.address.as_ref(), self.per_address);
        let of_key = counted.has(guess.key.as_ref(), self.per_key);
        let (by, most, limit, zh, en) = match (of_address, of_key) {
            (Some(most), _) => ("address", most, "http.refused_per_address", "本地址", "from this address"),
            (None, Some(most)) => ("key", most, "http.refused_per_key", "该密钥编号", "with this key id"),
            (None, None) => return None,
        };
        Some(Beyond { by, refusal: too_many(zh, en, limit, most, left) })
    }

    /// Counts one that was refused. Of an address that is beyond its limit no ids are noted: they could be without end.
    pub fn count(&self, guess: Guess, now: Instant) {
        let mut counted = self.counted.lock();
        counted.left(self.within, now);
        let known = counted.has(guess.address.as_ref(), self.per_address).is_some();
        for subject in guess.address.into_iter().chain(guess.key.filter(|_| !known)) {
            if counted.refused.len() < MOST || counted.refused.contains_key(&subject) {
                let refused = counted.refused.entry(subject).or_default();
                *refused = refused.saturating_add(1);
            }
        }
    }

    /// The turn to ask the store, for guesses beyond a limit: first come, first served.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

fn too_many(zh: &str, en: &str, limit: &str, most: u32, after: Duration) -> Refusal {
    Refusal::new(
        Code::RateLimited,
        format!("{zh}近来被拒的凭证已达上限 {most};请核对所用的 API 密钥,稍后再试"),
        format!("{most} credentials {en} were refused lately, which is the most; check the API key and come back later"),
    )
    .with("limit", limit)
    .with("value", most)
    .retry_after(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    fn guesses() -> (Guesses, Instant) {
        let mut http = Sources::default().load().unwrap().settings.http;
        (http.refused_per_address, http.refused_per_key) = (Some(3), Some(2));
        let now = Instant::now();
        (Guesses::new(&http, now), now)
    }

    fn guess(address: &str, key: &str) -> Guess {
        Guess::new(Some(Source(address.parse().unwrap())), Some(&KeyId(key.to_owned())))
    }

    #[test]
    fn an_address_and_an_id_are_beyond_their_limits_for_a_while() {
        let (guesses, now) = guesses();
        let by = |address, key, now| guesses.beyond(&guess(address, key), now).map(|beyond| beyond.by);
        for _ in 0..2 {
            assert_eq!(by("10.0.0.1", "a", now), None);
            guesses.count(guess("10.0.0.1", "a"), now);
        }
        assert_eq!(by("10.0.0.2", "a", now), Some("key"), "wherever it comes from");
        assert_eq!(by("10.0.0.1", "b", now), None);
        guesses.count(guess("10.0.0.1", "b"), now);
        assert_eq!(by("10.0.0.1", "c", now), Some("address"), "whatever it guesses at");
        assert_eq!(by("::ffff:10.0.0.1", "c", now), Some("address"), "in whatever clothes");
        assert_eq!(by("10.0.0.2", "b", now), None);
        let soon = now + Duration::from_secs(58);
        let beyond = guesses.beyond(&guess("10.0.0.1", "c"), soon).unwrap();
        assert_eq!(beyond.refusal.code, Code::RateLimited);
        assert_eq!(beyond.refusal.retry_after, Some(Duration::from_secs(2)), "when it is over is said");
        assert_eq!(by("10.0.0.1", "a", now + Duration::from_secs(60)), None);
    }

    #[test]
    fn what_is_counted_is_bounded_and_no_limit_is_none() {
        let (guesses, now) = guesses();
        (0..100).for_each(|id| guesses.count(guess("10.0.0.1", &id.to_string()), now));
        assert_eq!(guesses.counted.lock().refused.len(), 4, "the address, and ids until it was beyond");
        for address in 0..=u32::try_from(MOST).unwrap() {
            guesses.count(guess(&std::net::Ipv4Addr::from_bits(address).to_string(), "a"), now);
        }
        assert_eq!(guesses.counted.lock().refused.len(), MOST);
        let open = Guesses { per_address: None, per_key: None, ..guesses };
        assert!(open.beyond(&guess("10.0.0.1", "a"), now).is_none());
    }
}
