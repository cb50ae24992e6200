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

/// Reads rows from a place on, in the order of their keys.
pub(super) async fn gather<T, K>(
    after: Option<K>,
    limit: usize,
    shown: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> K,
    text: impl Fn(&K) -> String,
    mut read: impl AsyncFnMut(Option<K>, i64) -> Result<Vec<T>, Refusal>,
) -> Result<Page<T>, Refusal>
where
    K: Clone,
{
    let limit = limit.clamp(1, MOST);
    let mut items = Vec::new();
    let mut place = after;
    loop {
        // One more than wanted tells whether there is a next page.
        let want = limit + 1 - items.len();
        let rows = read(place.clone(), i64::try_from(want).unwrap_or(i64::MAX)).await?;
        let last = rows.len() < want;
        place = rows.last().map(&key).or(place);
        items.extend(rows.into_iter().filter(&shown));
        if items.len() > limit {
            items.truncate(limit);
            let next = items.last().map(|item| encode(&text(&key(item))));
            return Ok(Page { items, next });
        }
        if last {
            return Ok(Page { items, next: None });
        }
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
