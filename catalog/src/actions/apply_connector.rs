//! Creates a connector, or puts a new file in the place of its old one.

use serde_json::{Value, json};

use super::act::{Act, Begun, Done, taken};
use super::{connector, grant, resource};
use crate::account::Role;
use crate::audit::{ConnectorChanged, ConnectorCreated, Digest};
use crate::connector::{Connector, Desired};
use crate::error::{Code, Refusal};
use crate::ids::{ConnectorId, GrantId, ResourceCode, ResourceNumber};
use crate::problems::{Problems, line};
use crate::store::{Store, Tx};

/// A connector's file, its form already checked by whoever runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorFile {
    pub name: String,
    pub end: ConnectorEnd,
    /// The whole file.
    pub spec: Value,
}

/// What a connector fills or reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorEnd {
    Source(ResourceCode),
    Sink(GrantId),
}

pub async fn apply_connector(
    store: &Store,
    act: &Act<'_>,
    file: ConnectorFile,
) -> Result<Done<Connector>, Refusal> {
    act.caller.require(Role::Integrator)?;
    check_name(&file.name)?;
    let mut tx = match act.begin(store).await? {
        Begun::Fresh(tx) => tx,
        Begun::Before(tx, result) => return connector::before(tx, &result.object).await,
    };
    let (of_resource, of_grant) = own_end(&mut tx, act, &file.end).await?;
    let digest = Digest::of_file(&file.spec)?;
    if let Some(mut found) = tx.connector_to_change(act.caller.agency, &file.name).await? {
        if found.spec == file.spec && found.account == act.caller.account {
            // Applying a file again changes nothing and tells nothing.
            return Ok(Done::now(found));
        }
        found.spec = file.spec;
        found.account = act.caller.account;
        found.version += 1;
        let event = ConnectorChanged { connector: found.id, file: digest };
        return connector::save(tx, act, found, event).await;
    }
    let made = Connector {
        id: ConnectorId(act.ids.uuid(act.now)),
        name: file.name,
        agency: act.caller.agency,
        account: act.caller.account,
        spec: file.spec,
        desired: Desired::Running,
        resets: 0,
        confirmations: 0,
        status: json!({}),
        version: 1,
        created_at: act.now,
    };
    tx.insert_connector(&made).await.map_err(|refusal| {
        taken(refusal, "本机构已有同名连接器", "the agency has a connector of this name", "name")
    })?;
    let event = ConnectorCreated { connector: made.id, resource: of_resource, grant: of_grant, file: digest };
    act.finish(tx, 201, made.id, vec![event.into()]).await?;
    Ok(Done::now(made))
}

/// A source fills a resource of the caller's agency, a sink reads a grant of it.
async fn own_end(
    tx: &mut Tx,
    act: &Act<'_>,
    end: &ConnectorEnd,
) -> Result<(Option<ResourceNumber>, Option<GrantId>), Refusal> {
    match end {
        ConnectorEnd::Source(code) => {
            let number = tx.resource_number(code).await?.ok_or_else(resource::not_found)?;
            let entry = tx.resource(number).await?.filter(|entry| entry.provider == act.caller.agency);
            entry.map(|entry| (Some(entry.number), None)).ok_or_else(resource::not_found)
        }
        ConnectorEnd::Sink(id) => {
            let held = tx.grant(*id).await?.filter(|grant| grant.consumer == act.caller.agency);
            held.map(|grant| (None, Some(grant.id))).ok_or_else(grant::not_found)
        }
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    line(64).check(&mut problems, Code::Invalid, "name", name);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(good) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        problems.add(
            Code::Invalid,
            "name",
            "只含字母、数字和 - _ .,以字母或数字开头",
            "has letters, digits, '-', '_' and '.' only, and begins with a letter or digit",
        );
    }
    problems.check()
}
