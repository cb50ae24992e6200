//! The Schema Registry: what it answers, what it keeps, and who may do what, on both engines.

mod contexts;
mod delete;
mod ids;
mod lists;
mod look_up;
mod references;
mod register;
mod resources;
mod settings;

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::actions::{self, Registering};
use changtong_catalog::ids::AgencyId;
use changtong_catalog::registry::{Candidate, Reference, Registered, Subject, VersionId, Wrong};
use changtong_catalog::resource::{Resource, ShareType};
use changtong_catalog::store::Store;
use serde_json::json;

use super::actions::{Office, Stage, file};

/// Two agencies that register, and the authority.
pub struct Desk<'a> {
    pub stage: Stage<'a>,
    pub store: &'a Store,
    /// Of `one`; the one whose resources are published.
    pub office: Office,
    /// Of `other`.
    pub consumer: Office,
    /// Its integrator.
    pub one: Caller,
    pub other: Caller,
    pub authority: Caller,
}

impl<'a> Desk<'a> {
    pub async fn set(store: &'a Store) -> Self {
        let stage = Stage::set(store).await;
        let (office, consumer) = (stage.provider().await, stage.consumer().await);
        let (one, other) = (office.integrator.clone(), consumer.integrator.clone());
        let authority = stage.authority.clone();
        Self { stage, store, office, consumer, one, other, authority }
    }

    pub async fn try_register(
        &self,
        caller: &Caller,
        subject: &str,
        candidate: &Candidate,
    ) -> Result<Registered, Wrong> {
        let act = self.stage.act(caller, 30);
        let how = Registering::default();
        actions::register_schema(self.store, &act, &Subject::read(subject), candidate, how).await
    }

    pub async fn register(&self, subject: &str, text: &str) -> Registered {
        self.try_register(&self.one, subject, &of(text)).await.unwrap()
    }

    pub async fn refused(&self, subject: &str, candidate: &Candidate) -> Wrong {
        self.try_register(&self.one, subject, candidate).await.unwrap_err()
    }

    /// An entry of `one`'s agency that takes schemas by the registry.
    pub async fn opened(&self, share_type: ShareType) -> Resource {
        let (editor, head) = (self.stage.act(&self.office.editor, 10), self.stage.act(&self.office.head, 11));
        let mut file = file(share_type);
        file.auto_register = true;
        let code = actions::draft_resource(self.store, &editor, file).await.unwrap().object.code;
        actions::submit_resource(self.store, &editor, &code, None).await.unwrap();
        actions::approve_resource(self.store, &head, &code, None).await.unwrap();
        actions::publish_resource(self.store, &head, &code, None).await.unwrap().object
    }

    pub async fn look_up(&self, subject: &str, candidate: &Candidate) -> Result<Registered, Wrong> {
        let subject = Subject::read(subject);
        actions::look_up_schema(self.store, &self.one, &subject, candidate, false, false).await
    }

    pub async fn delete(&self, subject: &str, permanent: bool) -> Result<Vec<i32>, Wrong> {
        let act = self.stage.act(&self.one, 31);
        actions::delete_subject(self.store, &act, &Subject::read(subject), permanent).await
    }

    pub async fn delete_version(&self, subject: &str, version: i32, permanent: bool) -> Result<i32, Wrong> {
        let act = self.stage.act(&self.one, 31);
        let version = VersionId::Number(version);
        actions::delete_version(self.store, &act, &Subject::read(subject), version, permanent).await
    }

    pub async fn configure(
        &self,
        caller: &Caller,
        subject: &str,
        request: serde_json::Value,
    ) -> Result<(), Wrong> {
        let act = self.stage.act(caller, 32);
        let request = request.as_object().unwrap().clone();
        actions::set_config(self.store, &act, &Subject::read(subject), &request).await.map(drop)
    }

    /// An operator sees and sets everything of the registry and registers nothing.
    pub fn operator(&self) -> Caller {
        let roles = [Role::Operator].into_iter().collect();
        Caller { agency: AgencyId(super::fixture::id(0x999)), roles, ..self.authority.clone() }
    }
}

pub fn of(text: &str) -> Candidate {
    Candidate { schema: text.to_owned(), ..Candidate::default() }
}

pub fn referring(text: &str, references: &[(&str, &str, i32)]) -> Candidate {
    let reference = |(name, subject, version): &(&str, &str, i32)| Reference {
        name: (*name).to_owned(),
        subject: (*subject).to_owned(),
        version: *version,
    };
    Candidate { references: references.iter().map(reference).collect(), ..of(text) }
}

/// A record of long fields, the ones behind `?` with a default.
pub fn record(fields: &[&str]) -> String {
    let field = |name: &&str| match name.strip_suffix('?') {
        Some(name) => json!({"name": name, "type": "long", "default": 0}),
        None => json!({"name": name, "type": "long"}),
    };
    let fields: Vec<_> = fields.iter().map(field).collect();
    json!({"type": "record", "name": "R", "namespace": "t", "fields": fields}).to_string()
}

pub fn says(wrong: &Wrong) -> (u32, String) {
    (wrong.error_code(), wrong.to_string())
}
