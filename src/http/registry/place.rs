//! What a path names: a context, and in it a subject, a version of one, an id.

use axum::extract::{FromRequestParts, RawPathParams};
use changtong_catalog::account::Caller;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::SchemaId;
use changtong_catalog::registry::{Context, Prefix, Subject, VersionId, Wrong};
use http::request::Parts;

use super::asked::Asked;
use crate::app::App;
use crate::http::problem::Problem;

#[derive(Debug)]
pub struct Place {
    /// Of `/contexts/{context}/…`; else the default one.
    pub context: Context,
    /// Whether the path says so.
    within: bool,
    segments: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segments = RawPathParams::from_request_parts(parts, state).await.map_err(|_| {
            Refusal::new(Code::BadRequest, "路径不是有效的 UTF-8", "the path is not valid UTF-8")
        })?;
        let segments = segments.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let mut place = Self { context: Context::default(), within: false, segments };
        if let Some(context) = place.segment("context") {
            place.context = Context::parse(context)?;
            place.within = true;
        }
        Ok(place)
    }
}

impl Place {
    fn segment(&self, name: &str) -> Option<&str> {
        self.segments.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The subject that is named; without one the context itself, which has settings too.
    pub fn named(&self) -> Subject {
        self.qualify(self.segment("subject").unwrap_or_default())
    }

    /// The subject that is meant by it, which may be another than the one that is named: whatever is asked of a subject or
    /// done to it is asked of this one, its settings and its mode alone are its own.
    pub async fn meant(&self, app: &App, caller: &Caller) -> Result<Subject, Wrong> {
        app.store.registry_alias(caller, &self.named()).await
    }

    /// The same for a change: an alias leads nobody but the agency whose it is to another subject.
    pub async fn meant_to_change(&self, app: &App, caller: &Caller) -> Result<Subject, Wrong> {
        app.store.registry_alias_to_change(caller, &self.named()).await
    }

    /// The same of the subject that the query names, in whose context an id is meant; without one the context of the path.
    pub async fn meant_by(&self, asked: &Asked, app: &App, caller: &Caller) -> Result<Subject, Wrong> {
        let named = self.qualify(asked.text("subject").unwrap_or_default());
        app.store.registry_alias(caller, &named).await
    }

    fn qualify(&self, text: &str) -> Subject {
        self.context.qualify(text)
    }

    pub fn version(&self) -> Result<VersionId, Wrong> {
        VersionId::parse(self.segment("version").unwrap_or_default())
    }

    /// What is no number is the id of nothing.
    pub fn id(&self) -> Result<SchemaId, Refusal> {
        let text = self.segment("id").unwrap_or_default();
        text.parse().map(SchemaId).map_err(|_| Refusal::not_found("模式", "schema"))
    }

    pub fn guid(&self) -> &str {
        self.segment("guid").unwrap_or_default()
    }

    /// Which subjects a list is of; outside a context `usual` where the query does not say.
    pub fn prefix(&self, asked: &Asked, usual: &str) -> Prefix {
        match asked.text("subjectPrefix") {
            Some(text) if self.within => {
                let Subject { context, name } = self.qualify(text);
                Prefix { context: Some(context), name }
            }
            Some(text) => Prefix::read(text),
            None if self.within => Prefix { context: Some(self.context.clone()), name: String::new() },
            None => Prefix::read(usual),
        }
    }
}
