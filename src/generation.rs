//! A resource moves to a new generation: copied by the gate, cut over by the action, again where something came between.

use std::sync::Arc;

use changtong_catalog::actions::{Act, CutOver, Done, may_move, new_generation};
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::ports::Directory as _;
use changtong_catalog::resource::Resource;
use changtong_connectors::fault;
use changtong_connectors::gate::Moving;

use crate::app::App;
use crate::http::command::{Call, Command};

/// Copies made for one call: each but the last met a grant or a commit that came meanwhile.
const TRIES: u32 = 5;

/// What came of a move.
#[derive(Debug)]
pub struct Moved {
    pub entry: Resource,
    /// Records copied; none of a call that was answered before.
    pub records: Option<i64>,
    /// Records left out, as they stand where others were published.
    pub left_out: Option<i64>,
}

/// Goes on if the caller leaves: a copy half made would only have to be made again.
pub async fn move_on<T: Send + Sync + 'static>(
    app: Arc<App>,
    code: ResourceCode,
    command: Command<T>,
    partitions: Option<i32>,
) -> Result<Moved, Refusal> {
    let moving = tokio::spawn(async move {
        let call = command.call(&app, "new_generation", &code);
        moved(&app, &call, &code, command.expected, partitions).await
    });
    moving.await.map_err(|_| broke_off())?
}

async fn moved(
    app: &App,
    call: &Call<'_>,
    code: &ResourceCode,
    expected: Option<i32>,
    partitions: Option<i32>,
) -> Result<Moved, Refusal> {
    if let Some(Done { object: entry, .. }) = may_move(&app.store, &call.act(), code, expected).await? {
        return Ok(Moved { entry, records: None, left_out: None });
    }
    let standing = app.store.resource(code).await?.ok_or_else(gone)?;
    let paused = app.gate.begin_move(standing.resource.number).await?;
    for _ in 0..TRIES {
        if let Some(moved) = once(app, call, (code, expected), &paused, partitions).await? {
            return Ok(moved);
        }
    }
    Err(Refusal::new(
        Code::Overloaded,
        "复制期间授权或记录一再变化,未能切换;请稍后再试",
        "grants or records kept changing while the resource was copied, so it was not cut over; try again later",
    )
    .retry_after(std::time::Duration::from_secs(30)))
}

/// One copy and its cut-over; `None` if something came between.
async fn once(
    app: &App,
    call: &Call<'_>,
    (code, expected): (&ResourceCode, Option<i32>),
    paused: &Moving,
    partitions: Option<i32>,
) -> Result<Option<Moved>, Refusal> {
    let standing = app.store.resource(code).await?.ok_or_else(gone)?;
    let copied = app.gate.copy(paused, &standing, partitions).await?;
    fault::point(fault::CUTTING_OVER);
    // The events of what was copied are no older than its records: a later copy goes by that.
    let act = Act { now: app.clock.now(), ..call.act() };
    match new_generation(&app.store, &act, code, expected, &copied).await? {
        CutOver::Changed => Ok(None),
        CutOver::Done(done) => {
            fault::point(fault::CUT_OVER);
            app.gate.moved(&copied).await?;
            let (records, left_out) = (Some(copied.records), Some(copied.strange));
            Ok(Some(Moved { entry: done.object, records, left_out }))
        }
    }
}

fn gone() -> Refusal {
    Refusal::not_found("信息资源", "resource")
}

fn broke_off() -> Refusal {
    Refusal::new(Code::Internal, "换代中断,可再次执行", "the move broke off; the command may be run again")
}
