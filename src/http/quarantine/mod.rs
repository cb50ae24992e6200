//! Records set aside: seen and decided by an integrator of the agency that owns the resource.

mod discard;
mod list;
mod replay;
mod show;
mod shown;

use changtong_catalog::account::{Caller, Role};
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{QuarantineId, ResourceCode};
use changtong_catalog::store::{QuarantineEntry, QuarantineState};
use changtong_connectors::gate::SetAside;
use chrono::DateTime;

pub use discard::discard;
pub use list::list;
pub use replay::replay;
pub use show::show;
pub use shown::Shown;

use crate::app::App;

/// A record set aside of the caller's own agency, and the code of its resource.
async fn owned(
    app: &App,
    caller: &Caller,
    id: QuarantineId,
) -> Result<(QuarantineEntry, ResourceCode), Refusal> {
    let none = || Refusal::not_found("隔离记录", "record set aside");
    let mut session = app.store.read().await?;
    let entry = session.quarantined(id).await?.ok_or_else(none)?;
    let resource = session.resource(entry.resource).await?.ok_or_else(|| {
        Refusal::new(Code::Internal, "隔离记录所属的信息资源不存在", "the record's resource does not exist")
    })?;
    if resource.provider != caller.agency {
        return Err(none());
    }
    caller.require(Role::Integrator)?;
    Ok((entry, resource.code))
}

fn place(entry: &QuarantineEntry) -> SetAside {
    SetAside {
        id: entry.id,
        resource: entry.resource,
        account: entry.account,
        published_at: began(entry),
        waiting: entry.state == QuarantineState::Waiting,
        partition: entry.partition,
        offset: entry.offset,
        marked: entry.marked,
    }
}

/// When the publish began that set the record aside: the time in its batch's id.
fn began(entry: &QuarantineEntry) -> Time {
    let at = entry.batch.0.get_timestamp().and_then(|at| {
        let (seconds, nanos) = at.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    });
    at.unwrap_or(entry.at)
}
