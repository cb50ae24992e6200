//! API keys as callers carry them: `ctk_<8 of id>_<32 of secret>_<6 of checksum>`, all base62 (trust.md 3.4). The store
//! keeps the id and HMAC(pepper, secret); the checksum lets clients and scanners refuse a typo offline.
//!
//! Whatever is wrong with a key, the answer is the same, and a key that nobody knows costs the same comparison.

use std::fmt;
use std::future::Future;

use crate::clock::{Ids, Time};
use crate::error::{Code, Refusal};
use crate::ids::KeyId;
use crate::mac::{MacKey, same};
use crate::ports::KeyRecord;

const PREFIX: &str = "ctk_";
const ID: usize = 8;
const SECRET: usize = 32;
const CHECK: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Text that never shows itself by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: to be shown once to its owner, or used.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key as its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText {
    id: KeyId,
    secret: Secret,
}

impl KeyText {
    #[must_use]
    pub fn make(ids: &dyn Ids) -> Self {
        Self { id: KeyId(base62(ids, ID)), secret: Secret(base62(ids, SECRET)) }
    }

    /// A well-formed key of that id with a secret that is not its own: what a guesser sends.
    #[must_use]
    pub fn guess(id: KeyId, ids: &dyn Ids) -> Self {
        Self { id, ..Self::make(ids) }
    }

    /// No store has an id of such characters.
    fn nobodys() -> Self {
        Self { id: KeyId("-".repeat(ID)), secret: Secret("-".repeat(SECRET)) }
    }

    /// Reads a key and its checksum. Nothing is known of it yet: `check` decides.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(text).ok_or_else(unauthenticated)
    }

    fn read(text: &str) -> Option<Self> {
        let (body, check) = text.rsplit_once('_')?;
        let (id, secret) = body.strip_prefix(PREFIX)?.split_once('_')?;
        let formed = |part: &str, length| part.len() == length && part.bytes().all(|b| BASE62.contains(&b));
        let good = formed(id, ID) && formed(secret, SECRET) && check == checksum(body);
        good.then(|| Self { id: KeyId(id.to_owned()), secret: Secret(secret.to_owned()) })
    }

    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The whole text, to be shown once.
    #[must_use]
    pub fn text(&self) -> Secret {
        let body = format!("{PREFIX}{}_{}", self.id, self.secret.0);
        let check = checksum(&body);
        Secret(format!("{body}_{check}"))
    }

    /// What the store keeps.
    #[must_use]
    pub fn mac(&self, pepper: &MacKey) -> [u8; 32] {
        pepper.sum(self.secret.0.as_bytes())
    }

    /// Whether this key is the stored one and stands now. `pepper` is the one the record names; of an unknown key, or of
    /// a record whose pepper is missing, the current one, so that every refusal costs one HMAC and one comparison.
    pub fn check(&self, stored: Option<&KeyRecord>, pepper: &MacKey, now: Time) -> Result<(), Refusal> {
        let mac = self.mac(pepper);
        let nobody = [0; 32];
        let known = same(&mac, stored.map_or(&nobody, |record| &record.mac));
        let stands = stored.is_some_and(|record| record.id == self.id && record.fallen(now).is_none());
        if known & stands { Ok(()) } else { Err(unauthenticated()) }
    }
}

/// Where keys are looked up.
pub trait KeyBook {
    /// What was read of that key a moment ago.
    fn remembered(&self, id: &KeyId) -> Option<KeyRecord>;

    /// What stands in the store.
    fn stored(&self, id: &KeyId) -> impl Future<Output = Result<Option<KeyRecord>, Refusal>> + Send;

    /// The pepper that the record names; where there is none the one in force.
    fn pepper(&self, record: Option<&KeyRecord>) -> Result<MacKey, Refusal>;
}

/// Whose key this is, if it stands now; `None` is a text that is no key. A key that was good a moment ago is good without
/// a question. Every refusal takes all steps, whatever is wrong: two looks into memory and store, two HMACs, two
/// comparisons.
pub async fn judge<B: KeyBook + Sync>(
    key: Option<&KeyText>,
    book: &B,
    now: Time,
) -> Result<KeyRecord, Refusal> {
    let nobodys;
    let key = match key {
        Some(key) => key,
        None => {
            nobodys = KeyText::nobodys();
            &nobodys
        }
    };
    let remembered = book.remembered(key.id());
    let known = key.check(remembered.as_ref(), &book.pepper(remembered.as_ref())?, now);
    if let (Ok(()), Some(record)) = (known, remembered) {
        return Ok(record);
    }
    let stored = book.stored(key.id()).await?;
    key.check(stored.as_ref(), &book.pepper(stored.as_ref())?, now)?;
    stored.ok_or_else(unauthenticated)
}

/// Why a key that let its caller in does so no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallen {
    Revoked,
    Expired,
    /// Its account is suspended.
    Account,
    /// Its account's agency is.
    Agency,
}

impl Fallen {
    /// For whoever was let in by it and is served no further.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        let (reason, zh, en) = match self {
            Self::Revoked => (
                "key_revoked",
                "所用的 API 密钥已撤销;请换用有效的密钥",
                "the API key was revoked; use one that stands",
            ),
            Self::Expired => (
                "key_expired",
                "所用的 API 密钥已到期;请换用有效的密钥",
                "the API key has expired; use one that stands",
            ),
            Self::Account => (
                "account_suspended",
                "所用密钥的账号已停用;请联系主管部门",
                "the account of the API key is suspended; ask the authority",
            ),
            Self::Agency => (
                "agency_suspended",
                "所用密钥的机构已停用;请联系主管部门",
                "the agency of the API key is suspended; ask the authority",
            ),
        };
        Refusal::new(Code::Unauthenticated, zh, en).with("reason", reason)
    }
}

/// The one answer to a credential that is missing or doesn't stand.
#[must_use]
pub fn unauthenticated() -> Refusal {
    Refusal::new(
        Code::Unauthenticated,
        "没有有效的凭证:请在 Authorization 头中以 Bearer 带上未过期、未撤销的 API 密钥",
        "no valid credential: send an API key that is neither expired nor revoked as Bearer in the Authorization \
         header",
    )
}

fn base62(ids: &dyn Ids, length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; SECRET];
        ids.fill(&mut bytes);
        // 248 = 4 · 62: what lies above would make some characters likelier than others.
        let fair = bytes.into_iter().filter(|b| *b < 248).map(|b| char::from(BASE62[usize::from(b % 62)]));
        text.extend(fair.take(length - text.len()));
    }
    text
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut text = [b'0'; CHECK];
    for digit in text.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    text.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests;
