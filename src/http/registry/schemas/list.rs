//! `GET /schemas`: versions of many subjects at once. Which they are is found first; what they say may be hundreds of
//! megabytes, so it is read and written a part at a time, as fast as it is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::registry::{Paging, Wrong};
use changtong_catalog::store::{Listed, Versions};
use futures::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;

use crate::app::App;
use crate::http::Web;
use crate::http::problem::Answer;
use crate::http::registry::asked::Asked;
use crate::http::registry::caller::Registrant;
use crate::http::registry::place::Place;
use crate::http::registry::shown::Shown;

/// The most of one answer.
const MOST: usize = 1000;

pub async fn list(
    State(app): State<Web>,
    Registrant(caller): Registrant,
    place: Place,
    asked: Asked,
) -> Answer<Response> {
    let Paging { offset, limit } = asked.paging()?;
    let paging = Paging { offset, limit: Some(limit.unwrap_or(MOST).min(MOST)) };
    let prefix = place.prefix(&asked, ":*:");
    let versions = Versions {
        of: &prefix,
        deleted: asked.deleted(),
        latest_only: asked.flag("latestOnly"),
        handler: asked.text("ruleType"),
    };
    let left = app.store.registry_list(&caller, versions, paging).await?;
    let told = asked.flag("aliases");
    let aliases = if told { Some(app.store.registry_aliases(&caller, &left).await?) } else { None };
    // What can be refused is refused before the first byte.
    let mut list = List { app, left, aliases, begun: false };
    let first = list.part().await?;
    let rest = stream::try_unfold(list, async |mut list| {
        let more = !list.left.is_empty();
        Ok::<_, Wrong>(if more { Some((list.part().await?, list)) } else { None })
    });
    let written = |bytes: Bytes| stream::once(async { Ok::<_, Wrong>(bytes) });
    let begin = written(Bytes::from_static(b"[")).chain(written(first));
    let pieces = begin.chain(rest).chain(written(Bytes::from_static(b"]")));
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response())
}

/// An array of which some is written.
struct List {
    app: Arc<App>,
    left: Vec<Listed>,
    /// By subject, where they are asked for.
    aliases: Option<BTreeMap<String, Vec<String>>>,
    /// Whether an element is written.
    begun: bool,
}

impl List {
    async fn part(&mut self) -> Result<Bytes, Wrong> {
        let part = self.app.store.registry_part(&mut self.left).await?;
        let mut bytes = Vec::new();
        for registered in &part {
            if std::mem::replace(&mut self.begun, true) {
                bytes.push(b',');
            }
            let mut shown = Shown::version(registered);
            if let Some(aliases) = &self.aliases {
                let of = aliases.get(&registered.subject.to_string());
                shown.aliases = Some(of.map(Vec::as_slice).unwrap_or_default());
            }
            write(&mut bytes, &shown)?;
        }
        Ok(bytes.into())
    }
}

fn write(bytes: &mut Vec<u8>, shown: &Shown<'_>) -> Result<(), Wrong> {
    serde_json::to_writer(bytes, shown).map_err(|_| {
        let (zh, en) = ("模式无法写成 JSON", "a schema cannot be written as JSON");
        Wrong::Refused(Refusal::new(Code::Internal, zh, en))
    })
}
