//! Lists are read page by page; what stands behind a page's last row is an opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Code, Refusal};

/// Most rows of one page.
pub(super) const MOST: usize = 500;

/// A page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` behind the last row.
    pub next: Option<String>,
}

/// How many rows a page may have, and how many to read for it: one more tells whether there is a next page.
pub(super) fn size(limit: usize) -> (usize, i64) {
    let limit = limit.clamp(1, MOST);
    (limit, i64::try_from(limit + 1).unwrap_or(i64::MAX))
}

impl<T> Page<T> {
    /// Of rows read with `size`; `place` is what the list is ordered by.
    pub(super) fn of(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|item| encode(&place(item)));
        Self { items, next }
    }
}

fn encode(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// The place that `after` names.
pub(super) fn decode<K>(
    after: Option<&str>,
    parse: impl Fn(&str) -> Option<K>,
) -> Result<Option<K>, Refusal> {
    let Some(after) = after else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(after).ok();
    let place = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| parse(&text));
    place.map(Some).ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            "after 不是本服务给出的游标:请使用上一页答复中的 next",
            "after is not a cursor of this service: use `next` of the page before",
        )
    })
}
