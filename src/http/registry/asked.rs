//! The query string as registry clients write it: unknown names are passed over, and so is a flag that is neither true
//! nor false.

use axum::extract::{FromRequestParts, Query};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::registry::{Deleted, Paging};
use http::request::Parts;

use crate::http::problem::Problem;

/// Names and values, in the order in which they were written.
#[derive(Debug, Default)]
pub struct Asked(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_none() {
            return Ok(Self::default());
        }
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        pairs.map(|Query(pairs)| Self(pairs)).map_err(|_| {
            Refusal::new(Code::BadRequest, "查询参数无法解读", "the query string cannot be read").into()
        })
    }
}

impl Asked {
    /// The first value of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of that name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `true` in any case (Python writes `True`).
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A whole number; `usual` where it is not said.
    pub fn number(&self, name: &str, usual: i32) -> Result<i32, Refusal> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(usual) };
        text.parse().map_err(|_| {
            Refusal::new(
                Code::BadRequest,
                format!("查询参数 {name} 应为整数"),
                format!("the query parameter {name} is a whole number"),
            )
        })
    }

    /// The page that `offset` and `limit` ask for; a negative limit is none.
    pub fn paging(&self) -> Result<Paging, Refusal> {
        Ok(Paging {
            offset: usize::try_from(self.number("offset", 0)?).unwrap_or(0),
            limit: usize::try_from(self.number("limit", -1)?).ok(),
        })
    }

    /// Which of deleted things a list has. (Confluent's client for Python writes `deleted_only`.)
    pub fn deleted(&self) -> Deleted {
        if self.flag("deletedOnly") || self.flag("deleted_only") {
            Deleted::Only
        } else if self.flag("deletedAsNegative") {
            Deleted::Negative
        } else if self.flag("deleted") {
            Deleted::With
        } else {
            Deleted::Without
        }
    }

    /// The tags whose bearers are asked for, if any are.
    pub fn tags(&self) -> Option<Vec<String>> {
        let tags: Vec<String> = self.all("findTags").map(str::to_owned).collect();
        (!tags.is_empty()).then_some(tags)
    }

    /// Whether texts are to have everything written out that they refer to; any other format is as they are kept.
    pub fn resolved(&self) -> bool {
        self.text("format").is_some_and(|format| format.eq_ignore_ascii_case("resolved"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Asked(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn flags_are_read_as_every_client_writes_them() {
        let asked = asked("deleted=True&normalize=false&verbose=1&key=a&key=b");
        assert!(asked.flag("deleted"));
        assert!(!asked.flag("normalize") && !asked.flag("verbose") && !asked.flag("permanent"));
        assert_eq!(asked.all("key").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_page_begins_at_its_offset_and_no_limit_means_all() {
        let page = |query| asked(query).paging().map(|paging| paging.of((0..10).collect()));
        assert_eq!(page("").unwrap().len(), 10);
        assert_eq!(page("offset=8&limit=-1").unwrap(), [8, 9]);
        assert_eq!(page("offset=2&limit=3").unwrap(), [2, 3, 4]);
        assert_eq!(page("offset=-1&limit=0").unwrap(), [0; 0]);
        assert_eq!(page("limit=x").unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn deleted_ones_are_asked_for_in_several_ways() {
        assert_eq!(asked("deleted=false").deleted(), Deleted::Without);
        assert_eq!(asked("deleted=true").deleted(), Deleted::With);
        assert_eq!(asked("deleted=true&deletedOnly=true").deleted(), Deleted::Only);
        assert_eq!(asked("deleted_only=True").deleted(), Deleted::Only);
        assert_eq!(asked("deletedAsNegative=true").deleted(), Deleted::Negative);
    }
}
