//! Positions of the file source as text (protocol.md 5): what was read, and its digest, so that a changed file is
//! noticed whenever and wherever the connector starts again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use changtong_catalog::mac::hex;

use crate::source::BEGINNING;

/// How far a file was read in `append`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Appended {
    pub bytes: u64,
    /// Lines within these bytes.
    pub lines: u64,
    /// SHA-256 of these bytes, in hex; empty at the beginning.
    pub digest: String,
}

impl Appended {
    /// `a1:<bytes>:<lines>:<digest>`
    pub fn parse(text: &str) -> Option<Self> {
        if text == BEGINNING {
            return Some(Self::default());
        }
        let mut parts = text.split(':');
        let (Some("a1"), bytes, lines, digest, None) =
            (parts.next(), parts.next()?, parts.next()?, parts.next()?, parts.next())
        else {
            return None;
        };
        let digest = sha(digest)?;
        Some(Self { bytes: bytes.parse().ok()?, lines: lines.parse().ok()?, digest })
    }

    pub fn to_text(&self) -> String {
        format!("a1:{}:{}:{}", self.bytes, self.lines, self.digest)
    }
}

/// How far the difference of a file to the resource is published in `replace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// Steps published. Nothing is skipped by it: what is still to be done is worked out anew. It makes positions
    /// differ.
    pub steps: u64,
    /// Bad rows set aside so far.
    pub aside: u64,
    pub done: bool,
    /// The file's name without its folder: one that comes before it is no newer state. Earlier versions kept none.
    pub name: Option<String>,
}

impl Replaced {
    /// `r1:<digest>:<steps>:<aside>:<part|done>:<name in base64>`; `None` for the beginning and for what is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (Some("r1"), digest, steps, aside, state, name, None) = (
            parts.next(),
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        let name = match name {
            Some(name) => Some(String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?),
            None => None,
        };
        let done = match state {
            "done" => true,
            "part" => false,
            _ => return None,
        };
        let (steps, aside) = (steps.parse().ok()?, aside.parse().ok()?);
        Some(Self { digest: sha(digest)?, steps, aside, done, name })
    }

    pub fn to_text(&self) -> String {
        let state = if self.done { "done" } else { "part" };
        let name = self.name.as_ref().map(|name| format!(":{}", URL_SAFE_NO_PAD.encode(name)));
        format!("r1:{}:{}:{}:{state}{}", self.digest, self.steps, self.aside, name.unwrap_or_default())
    }
}

fn sha(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_as_they_were_and_fit() {
        let digest = "ab".repeat(32);
        let appended = Appended { bytes: u64::MAX, lines: 7, digest: digest.clone() };
        assert_eq!(Appended::parse(&appended.to_text()), Some(appended.clone()));
        assert_eq!(Appended::parse("-"), Some(Appended::default()));
        let name = Some("全".repeat(85));
        let replaced = Replaced { digest, steps: u64::MAX, aside: u64::MAX, done: true, name };
        let nameless = Replaced { name: None, ..replaced.clone() };
        for replaced in [&replaced, &nameless] {
            assert_eq!(Replaced::parse(&replaced.to_text()), Some(replaced.clone()));
        }
        for text in [appended.to_text(), replaced.to_text()] {
            assert!(text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        assert_eq!((Appended::parse(&replaced.to_text()), Replaced::parse("-")), (None, None));
    }
}
