//! What the registry says when it does not do a thing: the numbers and words that its clients know.

use std::fmt;

use crate::error::{Code, Refusal};

#[derive(Debug, Clone, PartialEq)]
pub enum Wrong {
    SubjectNotFound(String),
    /// -1: the latest.
    VersionNotFound(i32),
    /// The id or guid, where one was asked for.
    SchemaNotFound(Option<String>),
    SubjectSoftDeleted(String),
    SubjectNotSoftDeleted(String),
    VersionSoftDeleted(String, i32),
    VersionNotSoftDeleted(String, i32),
    NoLevel(String),
    NoMode(String),
    /// The subject, and all that is incompatible.
    Incompatible(String, Vec<String>),
    InvalidSchema(String),
    /// The question costs more than any may: whatever the answer is, it is not known.
    TooComplex(String),
    InvalidVersion(String),
    InvalidLevel,
    /// Not one of the words, or why not here.
    InvalidMode(Option<&'static str>),
    NotPermitted(String),
    /// The version that others refer to.
    Referenced(String, i32),
    IdMismatch(String),
    InvalidSubject(String),
    TooLarge,
    InvalidRules(String),
    ContextNotEmpty(String),
    /// What the caller may not do, to which subject.
    Denied(&'static str, String),
    /// What the rest of the bus refuses with.
    Refused(Refusal),
}

impl Wrong {
    /// The registry's number; its first three digits are the status.
    #[must_use]
    pub fn error_code(&self) -> u32 {
        match self {
            Self::SubjectNotFound(_) => 40401,
            Self::VersionNotFound(_) => 40402,
            Self::SchemaNotFound(_) => 40403,
            Self::SubjectSoftDeleted(_) => 40404,
            Self::SubjectNotSoftDeleted(_) => 40405,
            Self::VersionSoftDeleted(..) => 40406,
            Self::VersionNotSoftDeleted(..) => 40407,
            Self::NoLevel(_) => 40408,
            Self::NoMode(_) => 40409,
            Self::Incompatible(..) => 409,
            Self::InvalidSchema(_) | Self::TooComplex(_) => 42201,
            Self::InvalidVersion(_) => 42202,
            Self::InvalidLevel => 42203,
            Self::InvalidMode(_) => 42204,
            Self::NotPermitted(_) => 42205,
            Self::Referenced(..) => 42206,
            Self::IdMismatch(_) => 42207,
            Self::InvalidSubject(_) => 42208,
            Self::TooLarge => 42209,
            Self::InvalidRules(_) => 42210,
            Self::ContextNotEmpty(_) => 42211,
            Self::Denied(..) => 40301,
            Self::Refused(refusal) => number(refusal.code),
        }
    }

    #[must_use]
    pub fn status(&self) -> u16 {
        let code = self.error_code();
        u16::try_from(if code > 999 { code / 100 } else { code }).unwrap_or(500)
    }
}

/// The number of a code that the registry has no word for: where its clients know one, that; else the status.
#[must_use]
pub fn number(code: Code) -> u32 {
    match code {
        Code::Unauthenticated => 40101,
        Code::Forbidden => 40301,
        Code::RateLimited | Code::TooManyAtOnce => 42901,
        Code::Internal | Code::StoreUnavailable | Code::StorageFull => 50001,
        code => u32::from(code.status()),
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubjectNotFound(subject) => write!(f, "Subject '{subject}' not found."),
            Self::VersionNotFound(version) => write!(f, "Version {version} not found."),
            Self::SchemaNotFound(None) => f.write_str("Schema not found"),
            Self::SchemaNotFound(Some(id)) => write!(f, "Schema {id} not found"),
            Self::SubjectSoftDeleted(subject) => {
                write!(f, "Subject '{subject}' was soft deleted.Set permanent=true to delete permanently")
            }
            Self::SubjectNotSoftDeleted(subject) => {
                write!(f, "Subject '{subject}' was not deleted first before being permanently deleted")
            }
            Self::VersionSoftDeleted(subject, version) => write!(
                f,
                "Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently"
            ),
            Self::VersionNotSoftDeleted(subject, version) => write!(
                f,
                "Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
            ),
            Self::NoLevel(subject) => {
                write!(f, "Subject '{subject}' does not have subject-level compatibility configured")
            }
            Self::NoMode(subject) => {
                write!(f, "Subject '{subject}' does not have subject-level mode configured")
            }
            Self::Incompatible(subject, messages) => write!(
                f,
                "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", \
                 details: [{}]",
                messages.join(", ")
            ),
            Self::InvalidVersion(version) => write!(
                f,
                "The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] \
                 and the string \"latest\""
            ),
            Self::InvalidLevel => f.write_str(
                "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, \
                 forward_transitive, and full_transitive",
            ),
            Self::InvalidMode(why) => f.write_str(
                why.unwrap_or("Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD."),
            ),
            Self::Referenced(subject, version) => write!(
                f,
                "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},\
                 version={version}}}."
            ),
            Self::InvalidSubject(subject) => write!(f, "The specified subject '{subject}' is not a valid."),
            Self::TooLarge => f.write_str("Register operation failed because schema is too large"),
            Self::ContextNotEmpty(context) => write!(f, "The specified context '{context}' is not empty."),
            Self::Denied(what, subject) => {
                write!(f, "User is denied operation {what} on Subject: {subject}")
            }
            Self::InvalidSchema(text)
            | Self::TooComplex(text)
            | Self::NotPermitted(text)
            | Self::IdMismatch(text)
            | Self::InvalidRules(text) => f.write_str(text),
            Self::Refused(refusal) => f.write_str(&refusal.text.en),
        }
    }
}

impl std::error::Error for Wrong {}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
