//! Versions as `ETag` and `If-Match`, so that nobody overwrites what they have not read.

use changtong_catalog::error::{Code, Refusal};
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue};

/// The header of a version.
#[must_use]
pub fn etag(version: i32) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The version that `If-Match` names; the action says whether it needs one.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i32>, Refusal> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'));
    let version = version.and_then(|version| version.parse().ok());
    version.map(Some).ok_or_else(|| {
        Refusal::new(
            Code::BadHeader,
            "If-Match 应为一个 ETag,例如 \"3\"",
            "If-Match must be one ETag, such as \"3\"",
        )
        .with("header", "If-Match")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_comes_back_as_it_went_out() {
        let mut headers = HeaderMap::new();
        assert_eq!(if_match(&headers), Ok(None));
        headers.insert(IF_MATCH, etag(7));
        assert_eq!(if_match(&headers), Ok(Some(7)));
        for wrong in ["7", "W/\"7\"", "\"seven\"", "*", "\"1\", \"2\""] {
            headers.insert(IF_MATCH, HeaderValue::from_static(wrong));
            assert_eq!(if_match(&headers).unwrap_err().code, Code::BadHeader, "{wrong}");
        }
    }
}
