//! The JSON document of a request. Members that nobody knows are passed over: clients of many ages call.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::wording::of_json;
use serde::de::DeserializeOwned;

use super::media;
use crate::app::App;
use crate::http::body;
use crate::http::frame::budget;
use crate::http::problem::Problem;

#[derive(Debug)]
pub struct Document<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        media::check(&parts.headers)?;
        let budget = budget(&parts.extensions, app);
        let held = body::read(&parts.headers, body, app.document_limits(), &budget).await?;
        Ok(Self(read(&held.bytes)?))
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.trim_ascii().is_empty() {
        return Err(Refusal::new(Code::Invalid, "请求体不能为空", "the body must not be empty"));
    }
    // serde would take an array for the members in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Refusal::new(
            Code::Invalid,
            "请求体应为对象,而不是数组",
            "the body is an object, not an array",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_data() { Code::Invalid } else { Code::BadRequest };
        let text = of_json(&error);
        Refusal::new(code, format!("请求体有误:{}", text.zh), format!("the body is wrong: {}", text.en))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Level {
        compatibility: String,
    }

    #[test]
    fn unknown_members_are_passed_over_and_what_is_wrong_has_its_status() {
        let level: Level = read(br#" {"compatibility":"FULL","later":[1]}"#).unwrap();
        assert_eq!(level.compatibility, "FULL");
        let status = |bytes: &[u8]| read::<Level>(bytes).unwrap_err().code.status();
        assert_eq!(status(b""), 422);
        assert_eq!(status(b"[\"FULL\"]"), 422);
        assert_eq!(status(b"{}"), 422);
        assert_eq!(status(b"{\"compat"), 400);
    }
}
