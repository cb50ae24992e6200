//! The consumer takes the derived schema of a newer version of the resource's schema. Its terms stay: what it is not
//! granted, a newer version does not show.

use super::act::{Act, Done};
use super::grant::{Opened, open, save};
use super::resource;
use crate::audit::GrantSchemaMoved;
use crate::error::{Code, Refusal};
use crate::grant::Grant;
use crate::grant::lifecycle::Act as Step;
use crate::ids::GrantId;
use crate::ports::SchemaVersion;
use crate::schema::derived_schema;
use crate::store::Store;

pub async fn move_grant_schema(
    store: &Store,
    act: &Act<'_>,
    id: GrantId,
    expected: Option<i32>,
    version: i32,
) -> Result<Done<Grant>, Refusal> {
    let (mut tx, mut grant) = match open(store, act, id, Step::MoveSchema, expected, None).await? {
        Opened::Fresh(tx, grant) => (tx, grant),
        Opened::Before(done) => return Ok(done),
    };
    if version == grant.schema_version {
        grant.version -= 1;
        return Ok(Done::already(grant));
    }
    let standing = tx.resource_standing(grant.resource).await?.ok_or_else(resource::not_found)?;
    let wanted = standing.versions.iter().find(|known| known.version == version);
    let Some(wanted) = wanted.filter(|wanted| wanted.version > grant.schema_version) else {
        return Err(no_such_version(&grant, &standing.versions));
    };
    let text = derived_schema(grant.number, &wanted.items, &grant.items, &grant.masks)?;
    let schema = tx.register_schema(&text, act.now).await?;
    grant.schema = schema.id;
    grant.schema_version = version;
    let event = GrantSchemaMoved {
        grant: id,
        version: grant.version,
        resource: grant.resource,
        schema: schema.id,
        fingerprint: schema.fingerprint.parse()?,
        schema_version: version,
    };
    save(tx, act, grant, event).await
}

fn no_such_version(grant: &Grant, versions: &[SchemaVersion]) -> Refusal {
    let held = grant.schema_version;
    let newer: Vec<i32> =
        versions.iter().map(|version| version.version).filter(|version| *version > held).collect();
    Refusal::new(
        Code::Invalid,
        format!("version:只能改用比现用的第 {held} 版更新的版本,可用:{newer:?}"),
        format!(
            "version: a grant moves to a newer version than the {held} that it holds; there are {newer:?}"
        ),
    )
    .with("path", "version")
    .with("versions", newer)
}
