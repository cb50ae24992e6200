//! What a log says to have lost is asked of it once more before it is passed over for good: one answer may be that of a
//! broker on its way back.

use changtong_catalog::error::{Code, Refusal};

use super::permit::Permit;
use crate::log::{Log, LogRecord, Range, damaged_offsets};

/// Reads a range; the second answer counts where the first names a loss.
pub(super) async fn read_twice(
    log: &dyn Log,
    permit: impl Fn() -> Permit,
    range: Range,
    bytes: usize,
) -> Result<Vec<LogRecord>, Refusal> {
    match log.read(permit(), &[range], bytes).await {
        Err(refusal) if refusal.code == Code::PositionExpired || damaged_offsets(&refusal).is_some() => {
            log.read(permit(), &[range], bytes).await
        }
        read => read,
    }
}
