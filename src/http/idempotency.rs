//! The `Idempotency-Key` header (protocol.md 5): 1 to 200 visible ASCII characters.

use changtong_catalog::error::{Code, Refusal};
use http::HeaderMap;

pub const HEADER: &str = "idempotency-key";

/// The key, if there is one.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(HEADER).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if visible && (1..=200).contains(&text.len()) && values.next().is_none() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Refusal::new(
            Code::BadHeader,
            "Idempotency-Key 应为一个 1 至 200 个可见 ASCII 字符的值",
            "Idempotency-Key must be one value of 1 to 200 visible ASCII characters",
        )
        .with("header", "Idempotency-Key")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(bytes).unwrap());
        key(&headers).map_err(|refusal| refusal.code)
    }

    #[test]
    fn only_visible_ascii_of_the_right_length() {
        assert_eq!(parse(b"a!~"), Ok(Some("a!~".to_owned())));
        assert_eq!(parse(&[b'x'; 200]).unwrap().unwrap().len(), 200);
        for wrong in [&b""[..], &[b'x'; 201], b"a b", "é".as_bytes(), b"a\tb"] {
            assert_eq!(parse(wrong), Err(Code::BadHeader));
        }
        assert_eq!(key(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn two_keys_are_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("a"));
        headers.append(HEADER, HeaderValue::from_static("b"));
        assert_eq!(key(&headers).unwrap_err().code, Code::BadHeader);
    }
}
