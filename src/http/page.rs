//! Lists: `after` is what `next` of the page before said, `limit` the most rows.

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::store::Page;
use serde::{Deserialize, Serialize};

/// Rows of a page where the call does not say.
const USUAL: usize = 100;
/// The most rows of a page.
const MOST: usize = 500;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    pub after: Option<String>,
    pub limit: Option<usize>,
}

/// Rows of a page within bounds.
pub fn rows(limit: Option<usize>) -> Result<usize, Refusal> {
    match limit.unwrap_or(USUAL) {
        rows @ 1..=MOST => Ok(rows),
        _ => Err(Refusal::new(
            Code::BadRequest,
            format!("limit 应在 1 与 {MOST} 之间"),
            format!("limit must lie between 1 and {MOST}"),
        )
        .with("limit", MOST)),
    }
}

#[derive(Debug, Serialize)]
pub struct Listed<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Listed<T> {
    /// A page of the store, each row as it is shown.
    pub fn of<R>(page: Page<R>, show: impl FnMut(R) -> T) -> Self {
        Self { items: page.items.into_iter().map(show).collect(), next: page.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(rows(None), Ok(USUAL));
        assert_eq!(rows(Some(MOST)), Ok(MOST));
        assert!(rows(Some(0)).is_err() && rows(Some(MOST + 1)).is_err());
    }
}
