//! Versions of a subject.

mod delete;
mod list;
mod referenced_by;
mod register;
mod show;
mod text;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::account::Caller;
use changtong_catalog::actions::schema_tags;
use changtong_catalog::registry::Registered;

pub use delete::delete;
pub use list::list;
pub use referenced_by::referenced_by;
pub use register::register;
pub use show::show;
pub use text::text;

use super::formatted;
use crate::app::App;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::shown::Shown;

/// A version in the format that is asked for.
pub(super) async fn shown(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    registered: &Registered,
) -> Answer<Response> {
    let text = formatted(app, caller, asked, registered).await?;
    let mut shown = Shown::version(registered);
    if let Some(wanted) = asked.tags() {
        let (context, content) = (&registered.subject.context, &registered.content);
        let tags = schema_tags(&app.store, caller, context, content, wanted).await?;
        shown.schema_tags = Some(tags.into_iter().map(Into::into).collect());
    }
    Ok(match &text {
        Some(text) => Json(shown.written_as(text)).into_response(),
        None => Json(shown).into_response(),
    })
}
