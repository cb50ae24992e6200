//! Lets a suspended agency in again.

use super::act::{Act, Done};
use super::participant::{Opened, must_be_suspended, open_agency};
use crate::agency::Agency;
use crate::audit::AgencyResumed;
use crate::error::Refusal;
use crate::ids::AgencyId;
use crate::store::Store;

pub async fn resume_agency(store: &Store, act: &Act<'_>, id: AgencyId) -> Result<Done<Agency>, Refusal> {
    let (mut tx, mut agency) = match open_agency(store, act, id).await? {
        Opened::Fresh(tx, agency) => (tx, agency),
        Opened::Before(mut tx) => return Done::before(tx.agency(id).await?),
    };
    must_be_suspended(agency.suspended)?;
    agency.suspended = false;
    agency.version += 1;
    tx.update_agency(&agency).await?;
    act.finish(tx, 200, id, vec![AgencyResumed { agency: id }.into()]).await?;
    Ok(Done::now(agency))
}
