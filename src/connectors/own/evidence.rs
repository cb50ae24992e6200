//! What this process itself received of a window: its acknowledgements quote a digest only if it is that of the lines
//! that arrived here (protocol.md 6).

use bytes::{Bytes, BytesMut};
use changtong_catalog::mac::hex;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The window at hand and the lines of it that came.
#[derive(Default)]
pub(super) struct Evidence {
    window: Option<String>,
    lines: Sha256,
}

#[derive(Deserialize)]
struct Last {
    next: String,
    window: Option<String>,
    digest: Option<String>,
}

impl Evidence {
    /// The page as it came; without window and digest where these are of other lines too: a process before this one
    /// read the window's beginning.
    pub fn take(&mut self, page: Bytes) -> Bytes {
        let whole = page.strip_suffix(b"\n").unwrap_or(&page);
        let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // What is no last line is refused by whoever reads the page.
        let Ok(last) = serde_json::from_slice::<Last>(&whole[start..]) else { return page };
        if self.window != last.window {
            *self = Self { window: last.window, lines: Sha256::new() };
        }
        self.lines.update(&page[..start]);
        let received = hex(&self.lines.clone().finalize());
        if last.digest.is_none_or(|digest| digest == received) {
            return page;
        }
        let mut without = BytesMut::from(&page[..start]);
        without.extend_from_slice(format!("{}\n", json!({ "next": last.next })).as_bytes());
        without.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lines: &str, window: &str, digest_of: &str) -> Bytes {
        let digest = hex(&Sha256::digest(digest_of.as_bytes()));
        let last = json!({ "next": "c", "window": window, "digest": digest });
        Bytes::from(format!("{lines}{last}\n"))
    }

    #[test]
    fn only_what_was_received_here_is_quoted() {
        let mut evidence = Evidence::default();
        let late = evidence.take(page("b\n", "w", "a\nb\n"));
        assert_eq!(late, "b\n{\"next\":\"c\"}\n", "its first line went to another process");
        for (lines, window, digest_of) in
            [("a\n", "v", "a\n"), ("b\n", "v", "a\nb\n"), ("", "v", "a\nb\n"), ("c\n", "u", "c\n")]
        {
            let whole = page(lines, window, digest_of);
            assert_eq!(evidence.take(whole.clone()), whole);
        }
        let nothing = Bytes::from_static(b"{\"next\":\"c\"}\n");
        assert_eq!(evidence.take(nothing.clone()), nothing);
    }
}
