//! Shuts an agency out: no key of its accounts stands until it is resumed.

use super::act::{Act, Done};
use super::participant::{Opened, not_oneself, open_agency};
use crate::agency::Agency;
use crate::audit::AgencySuspended;
use crate::error::Refusal;
use crate::grant::Cause;
use crate::ids::AgencyId;
use crate::store::Store;

pub async fn suspend_agency(
    store: &Store,
    act: &Act<'_>,
    id: AgencyId,
    cause: Option<Cause>,
) -> Result<Done<Agency>, Refusal> {
    let (mut tx, mut agency) = match open_agency(store, act, id).await? {
        Opened::Fresh(tx, agency) => (tx, agency),
        Opened::Before(mut tx) => return Done::before(tx.agency(id).await?),
    };
    not_oneself(id == act.caller.agency)?;
    if agency.suspended {
        // The answer may have been lost: asked again it is the same.
        return Ok(Done::already(agency));
    }
    agency.suspended = true;
    agency.version += 1;
    tx.update_agency(&agency).await?;
    act.finish(tx, 200, id, vec![AgencySuspended { agency: id, cause }.into()]).await?;
    Ok(Done::now(agency))
}
