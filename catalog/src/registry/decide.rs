//! What becomes of a schema that is registered: a version that is there, a new version with an id that is known or new,
//! or nothing because it would break what is there.

use super::subject::Subject;
use super::wrong::Wrong;
use crate::avro::Schema;
use crate::compat::{Level, Policy, Work, breaks_with};
use crate::ids::SchemaId;

/// A version of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    pub version: i32,
    pub id: SchemaId,
    pub deleted: bool,
}

/// Numbers that a schema comes with, and whether it is taken as it was elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    pub id: Option<i32>,
    pub version: Option<i32>,
    pub imports: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The subject has it as this version.
    Stands(i32),
    New {
        version: i32,
        /// `None`: the next one.
        id: Option<SchemaId>,
        /// Deleted versions with this id, whose place the new one takes unless something refers to them.
        replaced: Vec<i32>,
    },
}

/// The most versions of a subject, deleted ones included: a new one may be held against all of them.
pub const MOST_VERSIONS: usize = 1000;
/// The highest number that a version of another registry may have: as many are left for what follows.
const HIGHEST: i32 = 1 << 30;

/// The version that will follow: numbers of deleted ones are not given again.
#[must_use]
pub fn next(earlier: &[Earlier]) -> i32 {
    earlier.iter().map(|one| one.version).max().unwrap_or(0).saturating_add(1)
}

/// What it will be, `known` being the id that equal content has in the context.
pub fn place(
    subject: &Subject,
    earlier: &[Earlier],
    known: Option<SchemaId>,
    given: Given,
) -> Result<Outcome, Wrong> {
    if let (Some(id), Some(known)) = (given.id, known)
        && known.0 != id
    {
        return Err(Wrong::IdMismatch(format!(
            "Schema already registered with id {known} instead of input id {id}"
        )));
    }
    let same = |one: &&Earlier| Some(one.id) == known;
    if given.version.is_none()
        && let Some(version) =
            earlier.iter().filter(same).filter(|one| !one.deleted).map(|one| one.version).max()
    {
        return Ok(Outcome::Stands(version));
    }
    let next = next(earlier);
    let version = given.version.unwrap_or(next);
    if version != next && !given.imports {
        return Err(Wrong::InvalidSchema("Version is not one more than previous version".to_owned()));
    }
    if given.version.is_some_and(|version| version > HIGHEST) {
        return Err(Wrong::NotPermitted(format!(
            "Version {version} of subject {subject} is more than {HIGHEST} / 版本号 {version} 超过上限 {HIGHEST}"
        )));
    }
    if let Some(there) = earlier.iter().find(|one| one.version == version) {
        if same(&there) && !there.deleted {
            return Ok(Outcome::Stands(version));
        }
        return Err(Wrong::NotPermitted(format!(
            "Overwrite version {version} of subject {subject} is not permitted."
        )));
    }
    if earlier.len() >= MOST_VERSIONS {
        return Err(Wrong::NotPermitted(format!(
            "Subject {subject} has {MOST_VERSIONS} versions, deleted ones included: delete some for good, or use \
             another subject / 主题已有 {MOST_VERSIONS} 个版本(含已删除的):请彻底删除一些,或改用其他主题"
        )));
    }
    let replaced = earlier.iter().filter(same).filter(|one| one.deleted && one.version < version);
    Ok(Outcome::New {
        version,
        id: known.or(given.id.map(SchemaId)),
        replaced: replaced.map(|one| one.version).collect(),
    })
}

/// An earlier version to hold a new schema against.
#[derive(Debug)]
pub struct Compared {
    pub version: i32,
    pub schema: Schema,
    pub text: String,
}

/// What is said where a question about a subject costs more than any may.
#[must_use]
pub fn too_complex(subject: &Subject) -> String {
    format!(
        "{{errorType:'TOO_COMPLEX', description:'subject {subject} has too many versions, too large, to look at in one \
         question; delete those that are not used, use a level that is not transitive, or another subject / \
         该主题的版本过多、过大,无法在一次请求中逐一核对:请删除不用的版本,改用不逐版比较的级别,或改用其他主题'}}"
    )
}

/// The same where it was looked for what was sent, whatever the level.
#[must_use]
pub fn not_looked_through(subject: &Subject) -> Wrong {
    Wrong::TooComplex(format!(
        "Too many schemas, too large, are to be looked through for this one, as far as subject {subject}: name its \
         context, or delete the versions that are not used / \
         要逐一查找的模式过多、过大,查到主题 {subject} 为止:请写明语境,或删除不用的版本"
    ))
}

/// Why a schema is incompatible with an earlier version; nothing if it is compatible.
#[must_use]
pub fn incompatible(new: &Schema, earlier: &Compared, by: (Level, Policy), work: &mut Work) -> Vec<String> {
    let found = breaks_with(new, &earlier.schema, by, work);
    let version = u32::try_from(earlier.version).unwrap_or(0);
    found.map(|found| found.messages(version, &earlier.text, by.0)).unwrap_or_default()
}
