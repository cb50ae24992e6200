//! Reads by event stream: lines are written as they come and acknowledged window by window, and a stream that breaks
//! is begun again behind the last line that came.

use super::super::failure::Done;
use super::read::{Out, recover, write};
use crate::client::{CallError, Client, Reading, Said};

pub async fn run(client: &Client, mut reading: Reading, mut out: Out) -> Done {
    let mut tries = 0;
    loop {
        match one(client, &mut reading, &mut out, &mut tries).await? {
            Ok(Ended::Stream) => {}
            Ok(Ended::Output) => return Ok(()),
            Err(error) => recover(error, &mut reading, &mut tries).await?,
        }
    }
}

/// Why a stream is read no further.
enum Ended {
    Stream,
    /// Whoever read our output has what it wanted; what was not acknowledged comes again.
    Output,
}

/// One stream to its end, or to the error that another may not meet.
async fn one(
    client: &Client,
    reading: &mut Reading,
    out: &mut Out,
    tries: &mut u32,
) -> Done<Result<Ended, CallError>> {
    let mut following = match client.follow(reading).await {
        Ok(following) => following,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        let said = match following.next().await {
            Ok(Some(said)) => said,
            Ok(None) => return Ok(Ok(Ended::Stream)),
            Err(error) => return Ok(Err(error)),
        };
        *tries = 0;
        match said {
            Said::Record { line, id } => {
                if !write(out, &line)? {
                    return Ok(Ok(Ended::Output));
                }
                reading.cursor = Some(id);
            }
            Said::Beat(id) => reading.cursor = id.or_else(|| reading.cursor.take()),
            Said::End(problem) => return Ok(Err(CallError::Refused(problem))),
            mark @ Said::Mark { .. } => {
                if let Some(mark) = mark.acknowledgeable() {
                    client.acknowledge(&reading.subscription, &mark).await?;
                    reading.cursor = Some(mark.next);
                }
            }
        }
    }
}
